// A query's lines: paged, followed, resumed, filled, against a server that answers from an array.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Marker } from '../../src/api/records';
import { lineId } from '../../src/model';
import { LogSession, type OpenParams } from '../../src/session';
import { FIRST, numbered, server, stubBrowser } from './server';

const ALL: OpenParams = { query: '', range: { from: 'all', to: 'now' }, live: false };
let session: LogSession;

beforeEach(() => {
  stubBrowser();
  session = new LogSession();
});
afterEach(() => {
  session.close();
  vi.unstubAllGlobals();
});

const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 2 });
const held = (): number[] => Array.from({ length: session.store.count }, (_, index) => Number(session.store.textAt(index).slice('line '.length)));
const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

async function opened(params: Partial<OpenParams> = {}): Promise<void> {
  session.open({ ...ALL, ...params });
  await until(() => session.state.value !== 'loading');
}

describe('paging', () => {
  it('comes to the whole from the new end', async () => {
    server.reset(numbered(0, 3500));
    await opened();
    expect(held()).toEqual(from(2500, 1000));
    expect(session.ends.value).toEqual({ start: 'more', end: 'complete' });
    for (let page = 0; page < 3; page += 1) {
      session.older();
      session.older();
      await until(() => session.ends.value.start !== 'loading');
    }
    expect(held()).toEqual(from(0, 3500));
    expect(session.ends.value.start).toBe('complete');
    expect(server.asked.length).toBe(4);
  });

  it('finds a line that is pointed at, and goes on from there in both directions', async () => {
    const lines = numbered(0, 3000);
    server.reset(lines);
    await opened({ at: lineId(lines[1500]!), range: { from: '1h', to: 'now' } });
    expect(held()).toEqual(from(1400, 201));
    expect(session.target.value).toBe(100);
    session.older();
    session.newer();
    await until(() => session.ends.value.start === 'more' && session.ends.value.end === 'more');
    expect(held()).toEqual(from(400, 2201));
    expect(session.store.idAt(session.target.value)).toBe(lineId(lines[1500]!));
    session.newer();
    await until(() => session.ends.value.end === 'complete');
    expect(held()).toEqual(from(400, 2600));
    // The range of a link is made to hold its line.
    expect(session.bounds.value!.start).toBeLessThanOrEqual(lines[1400]!.time);
  });

  it('asks for more of the stream of the line that is looked around', async () => {
    const lines = numbered(0, 1000);
    server.reset(lines);
    await opened({ around: lineId(lines[500]!) });
    session.older();
    await until(() => session.ends.value.start === 'complete');
    expect(server.asked.at(-1)!.get('query')).toBe('{path="/var/log/app.log"}');
  });

  it('loads all of a run that a link marks', async () => {
    const lines = numbered(0, 5000);
    server.reset(lines);
    await opened({ at: `${lineId(lines[1000]!)}..${lineId(lines[2500]!)}` });
    await until(() => session.store.indexOfId(lineId(lines[2500]!)) >= 0);
  });

  it('says that a line is gone, and shows the nearest', async () => {
    const lines = numbered(0, 100);
    server.reset(lines);
    await opened({ at: lineId(numbered(5000, 1)[0]!) });
    expect(session.state.value).toBe('gone');
    expect(session.gone.value).toEqual({ message: 'the line is gone', oldest: FIRST, nearest: lineId(lines[0]!) });
    expect(held()).toEqual(from(0, 100));
  });

  it('goes to both ends, and closes what lies between', async () => {
    const lines = numbered(0, 20_000);
    server.reset(lines);
    await opened({ at: lineId(lines[10_000]!) });
    await session.goToStart();
    await session.goToEnd();
    expect(session.ends.value).toEqual({ start: 'complete', end: 'complete' });
    await until(() => session.store.count === 20_000);
    expect(held()).toEqual(from(0, 20_000));
    expect(session.store.chunks.every(({ markers }) => markers.size === 0)).toBe(true);
  });

  it('leaves a gap where much lies between, and fills it from either side', async () => {
    const lines = numbered(0, 60_000);
    server.reset(lines);
    await opened();
    await session.goToStart();
    // Four pages next to the oldest one, which is on screen.
    await until(() => session.store.count === 22_000);
    expect(held()).toEqual([...from(0, 21_000), ...from(59_000, 1000)]);
    const gap = (): Marker => session.store.chunks.flatMap(({ markers }) => [...markers.values()].flat())[0]!;
    await session.fill(gap());
    expect(held()).toEqual([...from(0, 26_000), ...from(59_000, 1000)]);
    while (session.store.count < 60_000) await session.fill(gap());
    expect(held()).toEqual(from(0, 60_000));
    expect(session.store.chunks.every(({ markers }) => markers.size === 0)).toBe(true);
  });

  it('goes to a time that is not held', async () => {
    const lines = numbered(0, 9000);
    server.reset(lines);
    await opened();
    const index = await session.goToTime(lines[3000]!.time);
    expect(session.store.idAt(index)).toBe(lineId(lines[3000]!));
    expect(held()).toEqual(from(2500, 1000));
    expect(session.ends.value).toEqual({ start: 'more', end: 'more' });
  });
});

describe('answers that are not whole', () => {
  it('widens an empty default range once, and says so', async () => {
    server.reset(numbered(0, 14));
    await opened({ range: { from: '1h', to: 'now' }, canWiden: true });
    expect(held()).toEqual(from(0, 14));
    expect(session.note.value?.text).toMatch(/^Nothing in the last 1 h\. Showing 14 lines of .+\.$/);
    expect(server.asked.map((params) => params.get('start'))).toEqual(['1h', '24h', null]);
    await opened({ range: { from: '1h', to: 'now' } });
    expect(session.state.value).toBe('empty');
  });

  it('keeps what came of an answer that was cut, and goes on', async () => {
    server.reset(numbered(0, 3000));
    server.answers.push(() => server.stream(numbered(2700, 300).reverse(), 'cut'));
    await opened();
    expect([session.state.value, session.partial.value?.reason]).toEqual(['partial', 'cut']);
    expect(held()).toEqual(from(2700, 300));
    session.continue();
    await until(() => session.ends.value.start === 'more' && session.store.count === 1300);
    expect(held()).toEqual(from(1700, 1300));
  });

  it('keeps old lines where the query is bad, and says where', async () => {
    server.reset(numbered(0, 10));
    await opened();
    server.answers.push(() => new Response('{"error":"unexpected }","at":{"line":1,"column":27}}', { status: 400 }));
    await opened({ query: '{' });
    expect([session.error.value?.message, session.error.value?.at]).toEqual(['unexpected }', { line: 1, column: 27 }]);
    expect(session.state.value).toBe('error');
    expect(held()).toEqual(from(0, 10));
  });

  it('tells a proxy from the agent', async () => {
    server.reset([]);
    server.answers.push(() => new Response('<html>', { headers: { 'content-type': 'text/html' } }));
    await opened();
    expect(session.error.value?.isForeign).toBe(true);
  });

  it('can be stopped and goes on', async () => {
    server.reset(numbered(0, 3000));
    session.open(ALL);
    session.stop();
    expect(session.state.value).toBe('stopped');
    session.continue();
    await until(() => session.store.count === 1000);
    expect(held()).toEqual(from(2000, 1000));
  });
});

describe('live', () => {
  it('goes on behind the last line, and comes back without a loss after every cut', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    server.reset(numbered(0, 1500));
    await opened({ live: true });
    await until(() => server.sockets.length === 1);
    server.write(numbered(1500, 10));
    await until(() => session.store.count === 1010);
    for (let cut = 0; cut < 3; cut += 1) {
      server.sockets.at(-1)!.end(1006);
      expect(session.connection.value).toBe('reconnecting');
      // Written while nobody listens.
      server.write(numbered(1510 + cut * 20, 10));
      session.resume();
      await until(() => session.connection.value === 'live');
      server.write(numbered(1520 + cut * 20, 10));
      await until(() => session.store.count === 1010 + (cut + 1) * 20);
    }
    expect(held()).toEqual(from(500, 1070));
    vi.restoreAllMocks();
  });

  it('holds still while it is paused', async () => {
    server.reset(numbered(0, 10));
    await opened({ live: true });
    await until(() => server.sockets.length === 1);
    session.pause();
    expect(session.connection.value).toBe('paused');
    server.write(numbered(10, 5));
    expect(session.store.count).toBe(10);
    session.resume();
    await until(() => session.store.count === 15);
    expect(held()).toEqual(from(0, 15));
  });

  it('begins where nothing is there yet', async () => {
    server.reset([]);
    await opened({ live: true });
    await until(() => server.sockets.length === 1);
    expect(session.state.value).toBe('empty');
    server.write(numbered(0, 3));
    await until(() => session.store.count === 3);
    expect(session.state.value).toBe('ready');
  });

  it('says why it was refused, and asks every few seconds instead', async () => {
    server.reset(numbered(0, 10));
    server.isRefusing = true;
    await opened({ live: true });
    await until(() => session.refusal.value === 'too many tails');
    expect(session.connection.value).toBe('off');
    server.lines.push(...numbered(10, 5));
    session.poll();
    await until(() => session.store.count === 15);
    expect(held()).toEqual(from(0, 15));
  });

  it('says that the agent was updated', async () => {
    server.reset(numbered(0, 10));
    await opened({ live: true });
    await until(() => session.connection.value === 'live' && server.sockets.length === 1);
    server.version = '0.2.0';
    server.sockets[0]!.end(1012);
    session.resume();
    await until(() => session.note.value?.kind === 'updated');
  });

  it('puts what came late where it belongs, and nothing twice', async () => {
    const lines = numbered(0, 30);
    server.reset(lines.filter((_, index) => index !== 10));
    await opened({ live: true });
    await until(() => server.sockets.length === 1);
    server.write([lines[10]!]);
    server.write([lines[10]!, lines[20]!]);
    await until(() => session.store.count === 30);
    expect(held()).toEqual(from(0, 30));
  });
});
