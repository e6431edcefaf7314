// Heights in rows of the grid: sums against naive ones, folding, markers, corrections.
import { describe, expect, it } from 'vitest';
import { Fenwick } from '../../src/list/fenwick';
import { Rows, type Layout } from '../../src/list/rows';
import { LineStore } from '../../src/list/store';
import type { Line, Stream } from '../../src/model';
import { seeded } from './random';

const DAY = 86_400_000_000_000n;
const FILE: Stream = { id: '3f2a9c81d4e07b55', labels: new Map([['path', '/a.log']]), service: 'a' };
const LAYOUT: Layout = { width: 10, indent: 0, least: 1, limit: 200, fold: 'no', zone: 'UTC' };

let count = 0;
function line(text: string, time = 1n, stream = FILE): Line {
  count += 1;
  return { stream, time, n: 0, check: count.toString(16).padStart(8, '0'), level: 'info', text };
}

function container(id: string): Stream {
  return { id, labels: new Map([['namespace', 'shop'], ['pod', 'p'], ['container', 'c'], ['container_id', id]]), service: 'c' };
}

/** Rows of these texts; the first line always has a day's marker. */
function rowsOf(lines: Line[], layout: Partial<Layout> = {}): { rows: Rows; store: LineStore; heights: () => number[] } {
  const store = new LineStore();
  const rows = new Rows(store, { ...LAYOUT, ...layout });
  store.append(lines);
  rows.sync();
  return { rows, store, heights: () => Array.from({ length: store.count }, (_, index) => rows.height(index)) };
}

/** Fails unless sums, heights and finding agree. */
function agrees(rows: Rows, store: LineStore): void {
  const faults: string[] = [];
  let before = 0;
  for (let index = 0; index < store.count; index += 1) {
    const height = rows.height(index);
    if (rows.before(index) !== before) faults.push(`before(${index}) is ${rows.before(index)}, not ${before}`);
    for (const row of height === 0 ? [] : [before, before + height - 1]) {
      if (rows.find(row) !== index) faults.push(`find(${row}) is ${rows.find(row)}, not ${index}`);
    }
    before += height;
  }
  expect(faults).toEqual([]);
  expect(rows.before(store.count)).toBe(before);
  expect(rows.total).toBe(before + store.markersAt(store.count).length);
}

describe('Fenwick', () => {
  it('sums and finds as a plain array does, over 10,000 changes', () => {
    const faults: number[] = [];
    for (const capacity of [1, 2, 3, 64, 100, 1000]) {
      const next = seeded(capacity);
      const values = Array.from({ length: capacity }, () => Math.floor(next() * 4));
      const tree = new Fenwick(capacity);
      tree.fill(values, capacity);
      for (let step = 0; step < 10_000 / 6; step += 1) {
        const index = Math.floor(next() * capacity);
        const delta = Math.floor(next() * 5) - Math.min(2, values[index]!);
        values[index]! += delta;
        tree.add(index, delta);
        const at = Math.floor(next() * (capacity + 1));
        if (tree.before(at) !== values.slice(0, at).reduce((sum, value) => sum + value, 0)) faults.push(at);
        const total = values.reduce((sum, value) => sum + value, 0);
        if (total === 0) continue;
        const offset = Math.floor(next() * total);
        let expected = 0;
        for (let sum = values[0]!; sum <= offset; sum += values[expected]!) expected += 1;
        if (tree.find(offset) !== expected) faults.push(offset);
      }
    }
    expect(faults).toEqual([]);
  });
});

describe('Rows', () => {
  it('counts rows of wrapped lines', () => {
    const check = (length: number, expected: number, layout: Partial<Layout> = {}): void => {
      expect(rowsOf([line(''), line('x'.repeat(length))], layout).heights()[1]).toBe(expected);
    };
    check(0, 1);
    check(10, 1);
    check(11, 2);
    check(100, 10);
    check(100_000, 23);
    check(100_000, 1, { width: Infinity });
    check(10, 2, { indent: 1 });
  });

  it('gives each line the rows that a finger needs, with its note', () => {
    const { rows, heights } = rowsOf([line(''), line('x'), line('x'.repeat(25)), line('start'), line('\tat a'), line('end')], { least: 2 });
    // The first one has the day's marker; the last but one is folded into the one before.
    expect(heights()).toEqual([3, 2, 3, 2, 0, 2]);
    expect(rows.correct(1, 1)).toBe(0);
    expect(rows.correct(1, 3)).toBe(1);
    expect(rows.correct(3, 2)).toBe(1);
    rows.setLayout({ ...rows.layout, least: 1 });
    expect(heights()).toEqual([2, 1, 3, 2, 0, 1]);
  });

  it('folds entries of several lines, and lines that go on from the one before', () => {
    const { rows, store, heights } = rowsOf([line('one\ntwo\nthree'), line('start'), line('\tat a'), line('\tat b'), line('other')]);
    expect(heights()).toEqual([3, 2, 0, 0, 1]);
    expect([rows.foldedInto(1), rows.foldedInto(4), rows.runOf(2), rows.canFold(0), rows.canFold(4)]).toEqual([2, 0, [1, 3], true, false]);
    expect([rows.beside(1, 1), rows.beside(4, -1), rows.beside(4, 1), rows.beside(0, -1)]).toEqual([4, 1, -1, -1]);
    store.setUnfolded(0, 0, true);
    store.setUnfolded(1, 3, true);
    rows.sync();
    expect(heights()).toEqual([4, 1, 1, 1, 1]);
    store.append([line('\tat c')]);
    rows.sync();
    // What comes later begins folded.
    expect(heights()).toEqual([4, 1, 1, 1, 2, 0]);
    agrees(rows, store);
  });

  it('folds repeats as it is told to', () => {
    const lines = ['a 1', 'a 1', 'a 2', 'b', 'b'].map((text) => line(text));
    const { rows, heights } = rowsOf(lines);
    expect(heights()).toEqual([2, 1, 1, 1, 1]);
    rows.setLayout({ ...LAYOUT, fold: 'exact' });
    expect(heights()).toEqual([3, 0, 1, 2, 0]);
    rows.setLayout({ ...LAYOUT, fold: 'numbers' });
    expect(heights()).toEqual([3, 0, 0, 2, 0]);
    expect([rows.isRepeat(1), rows.isRepeat(3), rows.foldedInto(0)]).toEqual([true, false, 2]);
  });

  it('folds over the border of chunks', () => {
    const { rows, store } = rowsOf(Array.from({ length: 5000 }, () => line('a')));
    store.append(Array.from({ length: 10 }, () => line('  goes on')));
    rows.sync();
    expect([rows.height(4999), rows.height(5000), rows.foldedInto(4999)]).toEqual([2, 0, 10]);
    agrees(rows, store);
  });

  it('has rows for days, restarts and other markers', () => {
    const [first, second] = [container('one'), container('two')];
    const { rows, store, heights } = rowsOf([line('a', DAY - 1n, first), line('b', DAY, first), line('c', DAY, second), line('d', DAY, FILE)]);
    expect(heights()).toEqual([2, 2, 2, 1]);
    expect([rows.ownMarkers(1), rows.ownMarkers(2)]).toEqual([['day'], ['restart']]);
    store.append([{ kind: 'gap', lines: 1, after: '', before: '', reason: 'missed' }]);
    rows.sync();
    expect([rows.total, rows.find(7), rows.find(6)]).toEqual([8, 4, 3]);
    store.append([line('e', DAY)]);
    rows.sync();
    expect([rows.total, rows.height(4), rows.markersBefore(4)]).toEqual([9, 2, 1]);
    // The first line is no longer the first.
    store.prepend([line('z', DAY - 2n, first)]);
    rows.sync();
    expect(heights()).toEqual([2, 1, 2, 2, 1, 2]);
    agrees(rows, store);
  });

  it('takes corrections, and counts anew when the width changes', () => {
    const { rows, store, heights } = rowsOf([line('größer'.repeat(3)), line('b')]);
    expect(heights()).toEqual([3, 1]);
    expect([rows.correct(0, 5), rows.correct(0, 5)]).toEqual([3, 0]);
    expect([rows.total, rows.before(1)]).toEqual([7, 6]);
    rows.setLayout({ ...LAYOUT, width: 20 });
    expect(heights()).toEqual([2, 1]);
    agrees(rows, store);
  });

  it('keeps up with whatever happens to the store', () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const next = seeded(seed);
      const below = (limit: number): number => Math.floor(next() * limit);
      const store = new LineStore();
      const rows = new Rows(store, { ...LAYOUT, fold: 'exact' });
      const make = (most: number): Line[] => Array.from({ length: 1 + below(most) }, () => {
        const text = ['a', 'a', 'x'.repeat(below(40)), '  goes on', 'one\ntwo'][below(5)]!;
        return line(text);
      });
      for (let step = 0; step < 20; step += 1) {
        const action = below(6);
        if (action === 0) store.append(make(2000));
        else if (action === 1) store.prepend(make(1500));
        else if (action === 2) store.insertAt(below(store.count + 1), make(next() < 0.5 ? 20 : 900));
        else if (action === 3 && store.chunks.length > 2) store.evict(next() < 0.5 ? 'start' : 'end');
        else if (action === 4) store.append([{ kind: 'gap', lines: 1, after: '', before: '', reason: 'missed' }, ...make(10)]);
        else if (store.count > 0) store.setUnfolded(below(store.count), store.count - 1, next() < 0.5);
        rows.sync();
        // The same lines counted from nothing.
        const fresh = new Rows(store, rows.layout);
        fresh.sync();
        expect(rows.total).toBe(fresh.total);
        const differing = Array.from({ length: store.count }, (_, index) => index).filter((index) => rows.height(index) !== fresh.height(index));
        expect(differing).toEqual([]);
      }
      agrees(rows, store);
    }
  });
});
