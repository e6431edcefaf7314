// Lines in columns: order, ids, markers, late lines and eviction, against a plain array.
import { describe, expect, it } from 'vitest';
import type { Entry, Marker } from '../../src/api/records';
import { Selection } from '../../src/list/select';
import { LineStore, type Change } from '../../src/list/store';
import { lineId, type Line, type Stream } from '../../src/model';
import { seeded } from './random';

const STREAMS: Stream[] = ['3f2a9c81d4e07b55', '00000000000000ff'].map((id) => ({ id, labels: new Map([['path', `/${id}.log`]]), service: id }));

function line(number: number, time = BigInt(number), stream = STREAMS[0]!): Line {
  return { stream, time, n: 0, check: number.toString(16).padStart(8, '0'), level: 'info', text: `line ${number}` };
}

const range = (first: number, count: number): Line[] => Array.from({ length: count }, (_, index) => line(first + index));
const texts = (store: LineStore): string[] => Array.from({ length: store.count }, (_, index) => store.textAt(index));
const gap = (lines: number): Marker => ({ kind: 'gap', lines, after: 'a', before: 'b', reason: 'skipped' });

describe('LineStore', () => {
  it('gives back what it was given, over the borders of chunks', () => {
    const store = new LineStore();
    const extra = { ...line(12_000), metadata: new Map([['trace_id', '9ac1']]), level: 'fatal' as const, n: 7 };
    store.append([...range(0, 12_000), extra]);
    expect(store.count).toBe(12_001);
    expect(store.lineAt(7_777)).toEqual(line(7_777));
    expect(store.lineAt(12_000)).toEqual(extra);
    expect(store.idAt(12_000)).toBe(lineId(extra));
    expect(() => store.lineAt(12_001)).toThrow(RangeError);
  });

  it('finds ids among lines of one time, and by the check where n has shifted', () => {
    const store = new LineStore();
    const lines = Array.from({ length: 9 }, (_, index) => ({ ...line(index, 5n, STREAMS[index % 2]), n: index >> 1 }));
    store.append([line(100, 1n), ...lines, line(101, 9n)]);
    for (const [index, one] of lines.entries()) expect(store.indexOfId(lineId(one))).toBe(index + 1);
    expect(store.indexOfId(lineId({ ...lines[4]!, n: 0 }))).toBe(5);
    expect(store.indexOfId(lineId(line(4, 6n)))).toBe(-1);
    const bad = ['', 'x', '3f2a9c81d4e07b55.x.0.1', `${STREAMS[0]!.id}.99999999999999999999999.0.00000000`];
    for (const id of bad) expect(store.indexOfId(id)).toBe(-1);
  });

  it('does as a plain array does, whatever is done', () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const next = seeded(seed);
      const below = (count: number): number => Math.floor(next() * count);
      const store = new LineStore();
      let expected: string[] = [];
      const selection = new Selection();
      let followed = '';
      let index = -1;
      store.subscribe((change: Change) => {
        selection.shift(change);
        if (index < 0 || index < change.at) return;
        index = index < change.at + change.removed ? -1 : index + change.inserted - change.removed;
      });
      let number = 0;
      const make = (count: number): Line[] => Array.from({ length: count }, () => line((number += 1), 0n));
      for (let step = 0; step < 40; step += 1) {
        const lines = make(below(8) === 0 ? 3000 : 1 + below(700));
        const action = below(5);
        if (action === 0) {
          store.append(lines);
          expected.push(...lines.map(({ text }) => text));
        } else if (action === 1) {
          store.prepend(lines);
          expected = [...lines.map(({ text }) => text), ...expected];
        } else if (action === 2) {
          const at = below(store.count + 1);
          store.insertAt(at, lines);
          expected.splice(at, 0, ...lines.map(({ text }) => text));
        } else if (action === 3 && store.chunks.length > 3) {
          const end = next() < 0.5 ? 'start' : 'end';
          const { count } = store.chunks[end === 'start' ? 0 : store.chunks.length - 1]!;
          store.evict(end);
          expected.splice(end === 'start' ? 0 : expected.length - count, count);
        } else if (store.count > 0) {
          index = below(store.count);
          followed = store.textAt(index);
          selection.clear();
          selection.add(index);
        }
        expect(store.count).toBe(expected.length);
        // What is followed stays the same line.
        if (index >= 0) expect(store.textAt(index)).toBe(followed);
        expect([...selection.indexes()]).toEqual(index < 0 ? [] : [index]);
      }
      expect(texts(store)).toEqual(expected);
      expect(store.characters).toBe(expected.reduce((sum, text) => sum + text.length, 0));
    }
  });

  it('keeps markers before the line that they stood before', () => {
    const store = new LineStore();
    const [a, b, c] = [gap(1), gap(2), gap(3)];
    store.append([line(1), a, line(2), b]);
    expect([store.markersAt(1), store.markersAt(2)]).toEqual([[a], [b]]);
    store.append([line(3)]);
    expect(store.markersAt(2)).toEqual([b]);
    store.prepend([c, line(0)]);
    expect([0, 1, 2, 3].map((index) => store.markersAt(index))).toEqual([[c], [], [a], [b]]);
    expect(store.indexOfMarker(b)).toBe(3);
    // A gap is filled in front of its marker, which stays until it is taken out.
    store.insertAt(3, [line(20), line(21)]);
    expect(texts(store)).toEqual(['line 0', 'line 1', 'line 2', 'line 20', 'line 21', 'line 3']);
    expect(store.indexOfMarker(b)).toBe(5);
    store.replaceMarker(b, c);
    expect(store.markersAt(5)).toEqual([c]);
    store.replaceMarker(c);
    expect([store.markersAt(0), store.markersAt(5)]).toEqual([[], [c]]);
    expect(store.indexOfMarker(b)).toBe(-1);
  });

  it('puts many lines with markers into the middle', () => {
    const store = new LineStore();
    store.append(range(0, 100));
    const entries: Entry[] = [gap(1), ...range(1000, 600), gap(2)];
    store.insertAt(50, entries);
    expect(texts(store)).toEqual([...range(0, 50), ...range(1000, 600), ...range(50, 50)].map(({ text }) => text));
    expect([store.markersAt(50), store.markersAt(650)]).toEqual([[gap(1)], [gap(2)]]);
  });

  it('puts late lines where their times belong', () => {
    const store = new LineStore();
    const changes: Change[] = [];
    store.append([line(10), line(20), line(30)]);
    store.subscribe((change) => changes.push(change));
    store.merge([line(31), line(15), line(16), line(5), line(32), line(30, 30n, STREAMS[1])]);
    expect(texts(store)).toEqual([5, 10, 15, 16, 20, 30, 30, 31, 32].map((number) => `line ${number}`));
    expect(store.streamAt(6)).toBe(STREAMS[1]);
    expect(changes.filter(({ isLate }) => isLate === true)).toEqual([
      { at: 0, removed: 0, inserted: 1, isLate: true },
      { at: 2, removed: 0, inserted: 2, isLate: true },
      { at: 6, removed: 0, inserted: 1, isLate: true },
    ]);
  });

  it('unfolds lines, and keeps that with them', () => {
    const store = new LineStore();
    store.append(range(0, 10));
    store.setUnfolded(3, 4, true);
    store.prepend(range(100, 5));
    expect(Array.from({ length: 15 }, (_, index) => store.isUnfolded(index)).flatMap((is, index) => (is ? [index] : []))).toEqual([8, 9]);
  });

  it('forgets all when it is cleared', () => {
    const store = new LineStore();
    store.append([...range(0, 6000), gap(1)]);
    store.clear();
    expect([store.count, store.chunks.length, store.streams.length, store.characters]).toEqual([0, 0, 0, 0]);
    expect(store.markersAt(0)).toEqual([]);
    store.append([line(1)]);
    expect(texts(store)).toEqual(['line 1']);
  });
});

describe('Selection', () => {
  it('does as a set does', () => {
    const next = seeded(7);
    const selection = new Selection();
    const expected = new Set<number>();
    for (let step = 0; step < 500; step += 1) {
      const first = Math.floor(next() * 100);
      const last = Math.floor(next() * 100);
      const isAdding = next() < 0.5;
      if (isAdding) selection.add(first, last);
      else selection.remove(first, last);
      for (let index = Math.min(first, last); index <= Math.max(first, last); index += 1) isAdding ? expected.add(index) : expected.delete(index);
      expect(selection.count).toBe(expected.size);
    }
    expect([...selection.indexes()]).toEqual([...expected].sort((a, b) => a - b));
    for (let index = 0; index < 100; index += 1) expect(selection.has(index)).toBe(expected.has(index));
  });

  it('is split by lines that come between', () => {
    const selection = new Selection();
    selection.add(2, 5);
    selection.shift({ at: 4, removed: 0, inserted: 10 });
    expect(selection.runs).toEqual([[2, 3], [14, 15]]);
    selection.shift({ at: 0, removed: 3, inserted: 0 });
    expect(selection.runs).toEqual([[0, 0], [11, 12]]);
  });
});
