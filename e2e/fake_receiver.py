"""Receivers that answer as their contracts say, and as badly as networks do: Loki's push, and OpenTelemetry's export of logs.

What they know of the two is written down here from their documentation, and read by code that shares nothing with the agent's."""
import collections
import contextlib
import gzip
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import time

LOKI_PATH, OTLP_PATH = '/loki/api/v1/push', '/otlp/v1/logs'
# Loki's defaults (limits_config).
LABELS_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX = 15, 1024, 2048
LINE_BYTES_MAX = 256 << 10
METADATA_MAX, METADATA_BYTES_MAX = 128, 64 << 10
AGE_SECONDS_MAX = 7 * 24 * 3600

Entry = collections.namedtuple('Entry', 'labels ns line metadata')
Seen = collections.namedtuple('Seen', 'when path headers entries')


def unsnap(block):
    """The text of a block of snappy, by google/snappy's format_description.txt."""
    expected, at = varint(block, 0)
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if 60 < length:
                extra = length - 60
                length = int.from_bytes(block[at:at + extra], 'little') + 1
                at += extra
            out += block[at:at + length]
            at += length
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, tag >> 5 << 8 | block[at]
            at += 1
        else:
            size = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(block[at:at + size], 'little')
            at += size
        start = len(out) - offset
        if start < 0 or offset == 0:
            raise ValueError('snappy: a copy from before the start')
        if length <= offset:
            out += out[start:start + length]
        else:
            out += (out[start:] * (length // offset + 1))[:length]
    if len(out) != expected:
        raise ValueError(f'snappy: {len(out)} bytes instead of {expected}')
    return bytes(out)


def varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    """The fields of a protobuf message: their numbers, with numbers or bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
        elif key & 7 == 2:
            length, at = varint(message, at)
            value, at = message[at:at + length], at + length
            if len(value) != length:
                raise ValueError('protobuf: cut off')
        else:
            raise ValueError(f'protobuf: wire type {key & 7}')
        yield key >> 3, value


def pair(message):
    found = dict(fields(message))
    return found.get(1, b'').decode(), found.get(2, b'').decode()


def labels_of(text):
    """The labels of a stream. Of the escapes of Go's strings, those that JSON has as well are taken alone."""
    quoted = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
    label = rf'[a-zA-Z_][a-zA-Z0-9_]*={quoted}'
    if not re.fullmatch(rf'\{{{label}(, {label})*\}}', text):
        raise ValueError(f'error parsing labels: {text[:200]}')
    return {name: json.loads(value) for name, value in re.findall(rf'([a-zA-Z_][a-zA-Z0-9_]*)=({quoted})', text)}


def entries_of_loki(body):
    for number, stream in fields(unsnap(body)):
        labels = None
        for number, value in fields(stream):
            if number == 1:
                labels = labels_of(value.decode())
            elif number == 2:
                ns, line, metadata = 0, b'', []
                for number, part in fields(value):
                    if number == 1:
                        time_ = dict(fields(part))
                        ns = time_.get(1, 0) * 1_000_000_000 + time_.get(2, 0)
                    elif number == 2:
                        line = part
                    elif number == 3:
                        metadata.append(pair(part))
                line.decode()
                yield Entry(labels, ns, line, metadata)


def entries_of_otlp(body):
    """By the code that OpenTelemetry generates from its own definitions."""
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    request = logs_service_pb2.ExportLogsServiceRequest()
    request.ParseFromString(body)
    for resource_logs in request.resource_logs:
        labels = {pair.key: pair.value.string_value for pair in resource_logs.resource.attributes}
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                body = record.body
                line = body.bytes_value if body.HasField('bytes_value') else body.string_value.encode()
                metadata = [(pair.key, pair.value.string_value) for pair in record.attributes]
                # What has no place of its own here is seen as metadata.
                metadata += [('scope', f'{scope_logs.scope.name} {scope_logs.scope.version}'),
                             ('severity', f'{record.severity_number} {record.severity_text}'),
                             ('kind', body.WhichOneof('value')), ('observed', str(record.observed_time_unix_nano))]
                yield Entry(labels, record.time_unix_nano, line, metadata)


def partial_success(count, words):
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    response = logs_service_pb2.ExportLogsServiceResponse()
    response.partial_success.rejected_log_records, response.partial_success.error_message = count, words
    return response.SerializeToString()


def refusal(entry):
    """Why Loki refuses an entry, in its words."""
    if b'poison' in entry.line:
        return 'entry for stream has poison in it'
    if LABELS_MAX < len(entry.labels):
        return f'entry has {len(entry.labels)} label names; limit {LABELS_MAX}'
    for name, value in entry.labels.items():
        if NAME_BYTES_MAX < len(name.encode()):
            return f'label name too long: {name}'
        if VALUE_BYTES_MAX < len(value.encode()):
            return f'label value too long: {name}'
    if LINE_BYTES_MAX < len(entry.line):
        return f"Max entry size '{LINE_BYTES_MAX}' bytes exceeded: '{len(entry.line)}' bytes"
    if METADATA_MAX < len(entry.metadata):
        return f'too many structured metadata labels: {len(entry.metadata)}'
    if METADATA_BYTES_MAX < sum(len(name.encode()) + len(value.encode()) for name, value in entry.metadata):
        return 'structured metadata too large'
    if entry.ns / 1e9 < time.time() - AGE_SECONDS_MAX:
        return 'entry too far behind: timestamp too old'
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # Of a connection on which nothing comes, in seconds.
    timeout = 1

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        """A proxy that leads wherever it is asked to."""
        host, _, port = self.path.rpartition(':')
        self.server.fake.proxied.append(self.path)
        there = socket.create_connection((host, int(port)))
        self.send_response(200)
        self.end_headers()
        self.close_connection = True

        def carry(source, target):
            with contextlib.suppress(OSError):
                while part := source.recv(65536):
                    target.sendall(part)
                target.shutdown(socket.SHUT_WR)
        back = threading.Thread(target=carry, args=[there, self.connection], daemon=True)
        back.start()
        carry(self.connection, there)
        back.join()

    def do_POST(self):
        fake = self.server.fake
        length = int(self.headers['Content-Length'])
        behaviour = fake.next_behaviour(is_empty=length <= 1)
        if behaviour == 'half':
            self.rfile.read(length // 2)
            return self.reset()
        body = self.rfile.read(length)
        if behaviour == 'sink':
            fake.sunk_bytes += length
            return self.answer(200)
        try:
            if self.headers.get('Content-Encoding') == 'gzip':
                body = gzip.decompress(body)
            is_loki = self.path.partition('?')[0].endswith(LOKI_PATH)
            entries = list((entries_of_loki if is_loki else entries_of_otlp)(body))
        except Exception as error:
            fake.malformed.append(repr(error))
            return self.answer(400, text=f'malformed: {error}')
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake.seen.append(Seen(time.monotonic(), self.path, headers, len(entries)))
        if isinstance(behaviour, tuple):
            return self.answer(*behaviour)
        if behaviour == 'never':
            fake.is_closed.wait()
            return self.reset()
        self.take(entries, is_loki, behaviour)

    def take(self, entries, is_loki, behaviour):
        """As Loki does: the good entries are stored, whatever the others are."""
        fake = self.server.fake
        refused = [(entry, why) for entry in entries for why in [refusal(entry)] if why]
        is_whole = fake.is_strict and refused
        if not is_whole:
            bad = {id(entry) for entry, _ in refused}
            fake.store([entry for entry in entries if id(entry) not in bad])
        if behaviour == 'lost':
            return self.reset()
        if is_loki and not entries:
            return self.answer(422, text='error at least one valid stream is required for ingestion')
        if refused and is_loki:
            return self.answer(400, text=f'{refused[0][1]}\n, {len(refused)} entries refused')
        if refused:
            return self.answer(200, {'Content-Type': 'application/x-protobuf'}, partial_success(len(refused), refused[0][1]))
        if behaviour == 'dribble':
            self.send_response(200)
            self.send_header('Content-Length', '20')
            self.end_headers()
            for _ in range(20):
                self.wfile.write(b'x')
                fake.is_closed.wait(0.1)
            return None
        if behaviour == 'endless':
            self.send_response(200)
            self.send_header('Connection', 'close')
            self.end_headers()
            self.close_connection = True
            try:
                while not fake.is_closed.is_set():
                    self.wfile.write(b'x' * 65536)
            except OSError:
                fake.was_hung_up = True
            return None
        if behaviour == 'cut':
            self.send_response(200)
            self.send_header('Content-Length', '1000')
            self.end_headers()
            self.wfile.write(b'{')
            return self.reset()
        return self.answer(204 if is_loki else 200)

    def answer(self, status, headers={}, text=b''):
        text = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        if status != 204:
            self.wfile.write(text)

    def reset(self):
        """Hangs up without a word: what is on its way is lost."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that is killed is none of it."""


class Receiver:
    """One of them. What it does with the next requests that hold something is in `script`: `half`, `lost`, `cut`, `dribble`,
    `endless`, `never`, `sink` (nothing is looked at), or a status with headers and text; after those what `always` says."""

    def __init__(self, port=0, is_strict=False, always='store', certificate=None):
        self.script, self.always, self.is_strict = collections.deque(), always, is_strict
        self.seen, self.malformed, self.arrived, self.proxied = [], [], [], []
        self.was_hung_up, self.sunk_bytes = False, 0
        self.lock, self.is_closed = threading.Lock(), threading.Event()
        self.server = Server(('127.0.0.1', port), Handler)
        self.server.fake = self
        self.port = self.server.server_port
        self.base = f'http{"s" if certificate else ""}://127.0.0.1:{self.port}'
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def next_behaviour(self, is_empty):
        with self.lock:
            return self.script.popleft() if self.script and not is_empty else self.always

    def store(self, entries):
        with self.lock:
            self.arrived += entries

    def stored(self):
        """Streams with their entries, as Loki has them: what it has already is left out."""
        streams = {}
        for entry in list(self.arrived):
            streams.setdefault(json.dumps(entry.labels, sort_keys=True), {}).setdefault((entry.ns, entry.line), entry)
        return {labels: list(entries.values()) for labels, entries in streams.items()}

    def lines(self, path, label='path'):
        """The lines of a file in the order in which they came."""
        found = [entries for labels, entries in self.stored().items() if json.loads(labels).get(label) == path]
        return [entry.line for entries in found for entry in entries]

    def close(self):
        self.is_closed.set()
        self.server.shutdown()
        self.server.server_close()
