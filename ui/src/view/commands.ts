// The same question as a command for a terminal: curl, logcli, kubectl.

/** What is asked for; times in RFC 3339. */
export interface Asked {
  /** LogQL. */
  readonly query: string;
  readonly start: string;
  readonly end: string;
  /** Where the agent answers, such as `http://node:8000/logs/`. */
  readonly base: string;
}

/** A word of a POSIX shell that stands for exactly this text. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function curlCommand({ query, start, end, base }: Asked): string {
  const data = Object.entries({ query, start, end, direction: 'forward', limit: '100000', format: 'text' });
  return `curl -sS -G ${shellWord(`${base}api/v1/lines`)} ${data.map(([name, value]) => `--data-urlencode ${shellWord(`${name}=${value}`)}`).join(' ')}`;
}

export function logcliCommand({ query, start, end, base }: Asked): string {
  return `logcli query --addr=${shellWord(base.replace(/\/$/, ''))} --from=${shellWord(start)} --to=${shellWord(end)} --limit=5000 --forward ${shellWord(query)}`;
}

/** `undefined` where the labels do not name a pod. */
export function kubectlCommand(labels: ReadonlyMap<string, string>, start: string): string | undefined {
  const [namespace, pod, container] = ['namespace', 'pod', 'container'].map((name) => labels.get(name));
  if (namespace === undefined || pod === undefined) return undefined;
  const rest = container === undefined ? ' --all-containers' : ` --container=${shellWord(container)}`;
  return `kubectl logs --namespace=${shellWord(namespace)} ${shellWord(pod)}${rest} --timestamps --since-time=${shellWord(start)}`;
}
