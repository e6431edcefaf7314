// Every hostile line goes through everything that makes something of a line: nothing throws, nothing takes long, nothing dangerous is left.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cellsOf, visible, visibleRaw } from '../../src/text/controls';
import { forClipboard, objectsOf, textOf } from '../../src/text/clipboard';
import { display, type DisplayOptions } from '../../src/text/display';
import { readFields } from '../../src/text/fields';
import { isContinuation, sameButNumbers } from '../../src/text/fold';
import { parseJson, pretty } from '../../src/text/json';
import { findLinks } from '../../src/text/links';
import { shellWord } from '../../src/view/commands';
import { hugeLines } from '../hostile/huge.mjs';
import { line } from './lines';

const small = readFileSync(new URL('../hostile/lines.jsonl', import.meta.url), 'utf8').trim().split('\n').map((text) => JSON.parse(text) as { name: string; line: string });
const all = [...small.map(({ name, line: text }): [string, string] => [name, text]), ...(hugeLines() as [string, string][])];

/** Controls, directions and line separators: never in what is shown. */
const DANGEROUS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Cs}|\p{M}{9}/u;
/** The detail draws as much at once. */
const PIECE = 64 * 1024;
/** Milliseconds that one line may take, on a busy machine: what takes the square of a line's length takes minutes. */
const TIME_MAX = 5_000;

describe('hostile lines', () => {
  it('are many', () => expect(small.length).toBeGreaterThanOrEqual(150));

  it.each(all)('%s', (_, text) => {
    const started = performance.now();
    for (const show of ['smart', 'raw'] as const) {
      for (const isUnfolded of [false, true]) {
        const options: DisplayOptions = { show, ansi: true, ownTimes: false, isUnfolded, isDark: false, limit: 4_000 };
        const shown = display(line(text), options);
        expect(shown.plain).not.toMatch(DANGEROUS);
        expect(shown.plain).not.toContain('\t');
        expect(shown.spans.map((span) => span.text).join('')).toBe(shown.plain);
        expect(shown.plain.length).toBeLessThan(isUnfolded ? 42_000 : 5_000);
        expect(shown.spans.length).toBeLessThan(2_100);
        for (const { colour, background, class: look } of shown.spans) {
          expect(`${colour ?? '#000000'}${background ?? '#000000'}`).toMatch(/^(#[0-9a-f]{6}){2}$/);
          expect(look ?? 't-key').toMatch(/^t-[a-z]+\d*( t-[a-z]+\d*)*$/);
        }
      }
    }
    const fields = readFields(text);
    expect(fields.fields.length).toBeLessThanOrEqual(1_000);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const json = fields.kind === 'json' ? parseJson(text) : null;
    if (json !== null) pretty(json, text);
    const piece = text.slice(0, PIECE);
    expect(visible(piece)).not.toMatch(DANGEROUS);
    expect(visibleRaw(piece).replace(/[\t\n]/g, '')).not.toMatch(DANGEROUS);
    cellsOf(piece);
    expect(forClipboard(text)).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
    expect(textOf([line(text)], { isRaw: true })).toBe(text);
    expect((JSON.parse(objectsOf([line(text)], 'UTC')) as { line: string }).line).toBe(text);
    for (const { start, end } of findLinks(piece)) expect(text.slice(start, end)).toMatch(/^https?:\/\/[\x21-\x7e]+$/i);
    isContinuation(text);
    expect(sameButNumbers(text, text)).toBe(true);
    expect(shellWord(text).replaceAll("'\\''", '')).toMatch(/^('[^']*'|[\w@%+=:,./-]+)$/);
    expect(performance.now() - started).toBeLessThan(TIME_MAX);
  });
});
