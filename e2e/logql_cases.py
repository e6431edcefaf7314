"""Asks an agent what tests/logql/cases.jsonl says; tests/it/logql_cases.rs describes the cases. Arguments: base URL, file."""
import json, sys, time, urllib.error, urllib.parse, urllib.request

CASES_MIN = 170
base, path = sys.argv[1:]
start = int(time.time()) - 1000


def call(target, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(base + target, body, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def labels_of(case, found):
    def is_hidden(name):
        return name in ("case", "__error_details__") or name in ("detected_level", "service_name") and name not in case["q"]
    return {name: value for name, value in found.items() if value and not is_hidden(name)}


def streams_of(name, case):
    entries = [(0, case["line"], case.get("labels", {}))] if case["kind"] == "pipeline" else case.get("lines", [])
    for seconds, line, labels in entries:
        entry = [str((start + seconds) * 10**9), line, case.get("metadata", {})]
        yield {"stream": {"case": name, **labels}, "values": [entry]}


def ask(name, case):
    if case["kind"] == "pipeline":
        query = '{case="%s"} %s' % (name, case["q"])
        parameters = {"query": query, "start": start - 1, "end": start + 100}
        return call("/loki/api/v1/query_range?" + urllib.parse.urlencode(parameters))
    if case["kind"] == "parse":
        parameters = {"query": case["q"], "start": start - 1, "end": start + 100, "step": 60}
        return call("/loki/api/v1/query_range?" + urllib.parse.urlencode(parameters))
    parameters = {"query": case["q"].replace("{$", '{case="%s"' % name), "time": start + 100}
    return call("/loki/api/v1/query?" + urllib.parse.urlencode(parameters))


def problem(name, case):
    status, text = ask(name, case)
    if "error" in case:
        return None if status == 400 and case["error"] in text else (status, text)
    if case["kind"] == "parse":
        return None if status == 200 else (status, text)
    if status != 200:
        return status, text
    result = json.loads(text)["data"]["result"]
    if case["kind"] == "metric":
        actual = sorted(([labels_of(case, series["metric"]), series["value"][1]] for series in result), key=json.dumps)
        return None if actual == sorted(case["expect"], key=json.dumps) else actual
    if not result or not case.get("keep", True):
        return None if not result and not case.get("keep", True) else result
    expected = {**case.get("labels", {}), **case.get("metadata", {}), **case["out"]}
    for label in list(expected):
        if "drop " + label in case["q"] and label not in case["out"]:
            del expected[label]
    expected = {label: value for label, value in expected.items() if value}
    actual, line = labels_of(case, result[0]["stream"]), result[0]["values"][0][1]
    return None if actual == expected and line == case.get("out_line", case["line"]) else (actual, line)


with open(path, encoding="utf-8") as file:
    cases = [("c%d" % index, json.loads(text)) for index, text in enumerate(file)]
body = json.dumps({"streams": [stream for name, case in cases for stream in streams_of(name, case)]})
status, text = call("/loki/api/v1/push", body.encode())
if status != 204 or len(cases) < CASES_MIN:
    sys.exit("%d cases, push answered with %d %s" % (len(cases), status, text))
failed = [(case["q"], found) for name, case in cases if (found := problem(name, case)) is not None]
for query, found in failed:
    print("FAIL", query, found)
print("%d of %d cases pass" % (len(cases) - len(failed), len(cases)))
sys.exit(1 if failed else 0)
