// A page with nothing but the line list and lines of its own: what bench-list.mjs measures.
import type { Line, Stream } from '../../../src/model';
import { LEVELS } from '../../../src/model';
import { LIST_DEFAULTS, LineList } from '../../../src/list/list';
import type { ListOptions } from '../../../src/list/options';
import { LineStore } from '../../../src/list/store';
import '../../../src/style/tokens.css';
import '../../../src/style/base.css';
import '../../../src/style/text.css';
import '../../../src/style/list.css';

const STREAM: Stream = { id: '3f2a9c81d4e07b55', labels: new Map([['path', '/var/log/app.log']]), service: 'app' };
const WORDS = 'connection refused while reading response header from upstream client request order payment timeout after retry of queue worker cache'.split(' ');
const START = 1_796_035_647_732_000_000n;

/** The same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Lines of about 150 characters: most ASCII, some JSON, some with other characters, some of several lines, some long. */
export function lines(count: number, first = 0, seed = 1): Line[] {
  const next = random(seed + first);
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    let text = `number ${number} `;
    const length = 40 + Math.floor(next() * 220);
    while (text.length < length) text += `${WORDS[Math.floor(next() * WORDS.length)]} `;
    const kind = next();
    if (kind < 0.05) text = JSON.stringify({ level: 'info', msg: text, status: 200, user: { id: number } });
    else if (kind < 0.08) text += 'größer – naïve 数据库连接失败 🚀 done';
    else if (kind < 0.09) text += '\n\tat pay.Charge (pay.go:88)\n\tat main.run (main.go:12)\n\tat runtime.main';
    else if (kind < 0.0905) text = text.repeat(60);
    return {
      stream: STREAM, time: START + BigInt(number) * 1_000_000n, n: 0, check: (number >>> 0).toString(16).padStart(8, '0'),
      level: LEVELS[2 + Math.floor(next() * 4)]!, text,
    };
  });
}

export const store = new LineStore();

const options: ListOptions = {
  ...LIST_DEFAULTS, wrap: true, streamTag: () => ({ text: 'app', hue: 0 }), href: (id) => `#${id}`, label: 'Lines',
};

const host = document.getElementById('list') as HTMLElement;
host.style.height = '100vh';

export const list = new LineList(host, store, options);

export function fill(count: number): void {
  store.clear();
  for (let first = 0; first < count; first += 5000) store.append(lines(Math.min(5000, count - first), first));
  list.scrollToEnd();
}

/** As many random lines. */
export function places(count: number): number[] {
  const next = random(7);
  return Array.from({ length: count }, () => Math.floor(next() * store.count));
}

/** The rows in the document, from the top to the bottom, with the parts of a px that lie between or over neighbours. */
export function faults(): { rows: number; worst: number } {
  const boxes = [...list.canvas.querySelectorAll('.line, .marker')].map((row) => row.getBoundingClientRect()).sort((a, b) => a.top - b.top);
  let worst = 0;
  for (let at = 1; at < boxes.length; at += 1) worst = Math.max(worst, Math.abs(boxes[at]!.top - boxes[at - 1]!.bottom));
  return { rows: boxes.length, worst };
}

/** Gaps between frames in ms until `isDone`. */
export async function frames(work: () => void, isDone: () => boolean): Promise<number[]> {
  const gaps: number[] = [];
  let last = performance.now();
  for (;;) {
    const now = await new Promise<number>(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
    if (isDone()) return gaps;
    work();
  }
}

Object.assign(window, { bench: { store, list, lines, fill, places, faults, frames } });
