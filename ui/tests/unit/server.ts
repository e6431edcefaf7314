// A server of lines for tests: answers `lines` and `follow` from an array, in pieces, as docs/api.md has them.
import { vi } from 'vitest';
import { lineId, type Line, type Stream } from '../../src/model';

const STREAM: Stream = { id: '3f2a9c81d4e07b55', labels: new Map([['path', '/var/log/app.log']]), service: 'app' };
/** Long ago enough that every range that ends now ends behind it. */
export const FIRST = 1_700_000_000_000_000_000n;

/** Three lines share each time. */
export function numbered(first: number, count: number): Line[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return {
      stream: STREAM, time: FIRST + BigInt(Math.floor(number / 3)) * 1000n, n: number % 3, check: number.toString(16).padStart(8, '0'),
      level: 'info' as const, text: `line ${number}`,
    };
  });
}

const STREAM_RECORD = `${JSON.stringify({ stream: { s: 0, id: STREAM.id, labels: Object.fromEntries(STREAM.labels), service: STREAM.service } })}\n`;
const record = (line: Line): string => `${JSON.stringify([0, String(line.time), line.n, line.check, line.level, line.text])}\n`;

export class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    server.sockets.push(this);
    queueMicrotask(() => {
      if (!this.isClosed) server.accept(this);
    });
  }

  say(text: string): void {
    if (!this.isClosed) this.onmessage?.({ data: text });
  }

  /** Ends the connection as a server or a network does. */
  end(code: number, reason = ''): void {
    this.isClosed = true;
    this.onclose?.({ code, reason });
  }

  close(): void {
    this.isClosed = true;
  }
}

class Server {
  lines: Line[] = [];
  sockets: FakeSocket[] = [];
  asked: URLSearchParams[] = [];
  /** What the next answers are instead. */
  answers: (() => Response)[] = [];
  version = '0.1.0';
  isRefusing = false;

  reset(lines: Line[]): void {
    this.lines = lines;
    this.sockets = [];
    this.asked = [];
    this.answers = [];
    this.version = '0.1.0';
    this.isRefusing = false;
  }

  get begin(): string {
    const now = String(FIRST + 10n ** 15n);
    return `${JSON.stringify({ begin: { query: '{}', start: '0', end: now, now, version: this.version, instance: 'one' } })}\n`;
  }

  /** Adds lines and sends them to who follows. */
  write(lines: Line[]): void {
    this.lines.push(...lines);
    for (const socket of this.sockets) socket.say(STREAM_RECORD + lines.map(record).join(''));
  }

  accept(socket: FakeSocket): void {
    if (this.isRefusing) {
      socket.end(1008, 'too many tails');
      return;
    }
    const params = new URL(socket.url).searchParams;
    const after = params.get('after');
    const found = after === null ? [] : this.lines.slice(this.lines.findIndex((line) => lineId(line) === after) + 1);
    socket.say(this.begin + STREAM_RECORD + found.map(record).join(''));
  }

  answer(url: string): Response {
    const params = new URL(url, 'http://agent').searchParams;
    this.asked.push(params);
    const other = this.answers.shift();
    if (other !== undefined) return other();
    const limit = Number(params.get('limit') ?? 1000);
    const index = (id: string): number => this.lines.findIndex((line) => lineId(line) === id);
    const around = params.get('around');
    if (around !== null) {
      const at = index(around);
      if (at < 0) {
        const nearest = this.lines[0];
        const gone = { error: 'the line is gone', oldest: String(FIRST), nearest: nearest === undefined ? null : lineId(nearest) };
        return new Response(JSON.stringify(gone), { status: 410 });
      }
      const found = this.lines.slice(Math.max(0, at - Number(params.get('before_count'))), at + Number(params.get('after_count')) + 1);
      return this.stream(found, 'complete');
    }
    const [start, end] = [params.get('start'), params.get('end')];
    const instant = (text: string | null): bigint | undefined => (text !== null && /^\d+$/.test(text) ? BigInt(text) : undefined);
    const [from, to] = [instant(start), instant(end)];
    const [after, before] = [params.get('after'), params.get('before')];
    let found = this.lines.slice(after === null ? 0 : index(after) + 1, before === null ? undefined : index(before));
    // Relative ranges hold nothing: all lines are old.
    if (start !== null && from === undefined) found = [];
    found = found.filter(({ time }) => (from === undefined || from <= time) && (to === undefined || time < to));
    const isBackward = params.get('direction') !== 'forward';
    if (isBackward) found.reverse();
    return this.stream(found.slice(0, limit), found.length > limit ? 'limit' : 'complete');
  }

  /** A body whose pieces end anywhere. */
  stream(lines: readonly Line[], reason: string): Response {
    const end = { end: { reason, first: null, last: null, unreadable_parts: 0, seconds: 0.1 } };
    return this.pieces(`${this.begin}${STREAM_RECORD}${lines.map(record).join('')}${reason === 'cut' ? '' : `${JSON.stringify(end)}\n`}`);
  }

  pieces(text: string): Response {
    const bytes = new TextEncoder().encode(text);
    let at = 0;
    return new Response(new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) controller.close();
        else controller.enqueue(bytes.slice(at, (at += 7919)));
      },
    }), { headers: { 'content-type': 'application/x-ndjson' } });
  }
}

export const server = new Server();

/** Stands in for what a browser has. */
export function stubBrowser(): void {
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false, baseURI: 'http://agent/ui/' }));
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('innerWidth', 1440);
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('requestAnimationFrame', (fn: () => void) => setTimeout(fn, 0));
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('fetch', (url: string, { signal }: { signal: AbortSignal }) => {
    return new Promise<Response>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      queueMicrotask(() => (signal.aborted ? reject(signal.reason) : resolve(server.answer(url))));
    });
  });
}
