// Dangerous and invisible characters are visible, and everything else stays as it is.
import { describe, expect, it } from 'vitest';
import { cellsOf, expandTabs, visible, visibleRaw } from '../../src/text/controls';

describe('visible', () => {
  const check = (input: string, expected: string) => it(JSON.stringify(input).slice(0, 60), () => expect(visible(input)).toBe(expected));
  check('plain text', 'plain text');
  check('ünï 日本 😀', 'ünï 日本 😀');
  check('a\0b\x07\x1b[31m', 'a␀b␇␛[31m');
  check('keeps\ttabs\nand lines', 'keeps\ttabs\nand lines');
  check('cr\rlf\x0b\x0c\x7f', 'cr␍lf␋␌␡');
  check('\x9b31m', '⟪U+009B⟫31m');
  check('\u202egnp.exe', '⟪RLO⟫gnp.exe');
  check('\u2066a\u2069\u200e\u200f\u061c', '⟪LRI⟫a⟪PDI⟫⟪LRM⟫⟪RLM⟫⟪ALM⟫');
  check('\u2028\u2029', '⟪LS⟫⟪PS⟫');
  check('\ud800 and \udc00', '� and �');
  check('\u{1f600}', '\u{1f600}');
  check(`Z${'\u0301'.repeat(40)}a`, `Z${'\u0301'.repeat(8)}a`);
  check('zero\u200bwidth', 'zero\u200bwidth');
});

describe('visibleRaw', () => {
  const check = (input: string, expected: string) => it(JSON.stringify(input), () => expect(visibleRaw(input)).toBe(expected));
  check('plain', 'plain');
  check('zero\u200bwidth\u200d\ufeff\u00ad', 'zero⟪ZWSP⟫width⟪ZWJ⟫⟪BOM⟫⟪SHY⟫');
  check('a\tb\nc', 'a␉\tb␊\nc');
  check('tag\u{e0041}', 'tag⟪U+E0041⟫');
  check('\x1b[31m', '␛[31m');
});

describe('expandTabs', () => {
  const check = (input: string, column: number, expected: string) => it(JSON.stringify(input), () => expect(expandTabs(input, column)).toBe(expected));
  check('none', 0, 'none');
  check('\tx', 0, '        x');
  check('ab\tx', 0, 'ab      x');
  check('ab\tx', 5, 'ab x');
  check('ab\n\tx\ty', 3, 'ab\n        x       y');
  check('日本\tx', 0, '日本    x');
});

describe('cellsOf', () => {
  const check = (input: string, expected: number) => it(input, () => expect(cellsOf(input)).toBe(expected));
  check('abc', 3);
  check('ünï', 3);
  check('日本', 4);
  check('e\u0301', 1);
  check('a\u200bb', 2);
});
