// The fields of the sidebar: those of the newest lines, the most telling first.
import { describe, expect, it } from 'vitest';
import { LineStore } from '../../src/list/store';
import type { Line, Stream } from '../../src/model';
import { type FieldsOf, summarize } from '../../src/view/sidebar';

const STREAM: Stream = { id: '3f2a9c81d4e07b55', labels: new Map([['app', 'api'], ['pod', 'api-1']]), service: 'api' };
const OTHER: Stream = { id: '3f2a9c81d4e07b56', labels: new Map([['app', 'web'], ['pod', 'web-1']]), service: 'web' };

function store(texts: readonly string[], of = (index: number): Stream => (index % 2 === 0 ? STREAM : OTHER)): LineStore {
  const made = new LineStore();
  made.append(texts.map((text, index): Line => ({
    stream: of(index), time: BigInt(index), n: 0, check: '00000000', level: index % 3 === 0 ? 'error' : 'info', text, metadata: new Map([['trace', `t${index}`]]),
  })));
  return made;
}

function read(lines: LineStore, most?: number): FieldsOf {
  const steps = summarize(lines, most);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

describe('fields of loaded lines', () => {
  it('come with their values and counts, the level first, what differs in each last', () => {
    const texts = Array.from({ length: 120 }, (_, index) => JSON.stringify({ ts: '2026', level: 'info', msg: 'm', status: 200 + (index % 2), user: { id: `u${index}` }, one: 1 }));
    const { fields, streams, lines } = read(store(texts));
    expect(lines).toBe(120);
    expect(fields.map(({ ref }) => `${ref.from} ${ref.name}`)).toEqual([
      'metadata detected_level', 'stream app', 'stream pod', 'json status', 'json one', 'metadata trace', 'json user_id',
    ]);
    expect(fields[0]!.values).toEqual(new Map([['error', 40], ['info', 80]]));
    expect(fields[3]!.values).toEqual(new Map([['201', 60], ['200', 60]]));
    expect([...streams.values()]).toEqual([60, 60]);
  });

  it('are those of the newest', () => {
    const { fields, lines } = read(store(['a=1 b=2', 'a=1 b=2', 'c=3 d=4', 'c=5 d=6']), 2);
    expect(lines).toBe(2);
    expect(fields.filter(({ ref }) => ref.from === 'logfmt').map(({ ref }) => ref.name)).toEqual(['c', 'd']);
  });

  it('take the name that the server gives them beside a label', () => {
    const { fields } = read(store(['{"app":"x","a.b":1,"c":{"d":2}}'], () => STREAM));
    expect(fields.filter(({ ref }) => ref.from === 'json').map(({ ref }) => ref.name).sort()).toEqual(['a_b', 'app_extracted', 'c_d']);
  });

  it('survive lines that go while they are read', () => {
    const lines = store(Array.from({ length: 100 }, () => 'x'));
    const steps = summarize(lines);
    expect(steps.next().done).toBe(false);
    lines.clear();
    const end = steps.next();
    expect(end.done).toBe(true);
    expect((end.value as FieldsOf).lines).toBe(20);
  });

  it('of none are none', () => expect(read(new LineStore())).toEqual({ fields: [], streams: new Map(), lines: 0 }));
});
