// What a row draws of a line.
import { describe, expect, it } from 'vitest';
import { display, type DisplayOptions, isPlain } from '../../src/text/display';
import { line } from './lines';

const OPTIONS: DisplayOptions = { show: 'smart', ansi: true, ownTimes: false, isUnfolded: false, isDark: true, limit: 4_000 };

function shown(text: string, options: Partial<DisplayOptions> = {}, level: 'info' | 'error' | 'unknown' = 'info') {
  const result = display(line(text, { level }), { ...OPTIONS, ...options });
  // What holds for every line.
  expect(result.spans.map((span) => span.text).join('')).toBe(result.plain);
  expect(result.plain).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]/);
  expect(result.isAscii).toBe(/^[\x20-\x7e\n]*$/.test(result.plain));
  return result;
}

describe('display', () => {
  const check = (text: string, expected: string, options: Partial<DisplayOptions> = {}) =>
    it(`${JSON.stringify(text).slice(0, 70)} ${JSON.stringify(options)}`, () => expect(shown(text, options).plain).toBe(expected));
  check('', '');
  check('plain text', 'plain text');
  check('2026-11-30T10:12:04.003Z order failed', 'order failed');
  check('2026-11-30T10:12:04.003Z order failed', '2026-11-30T10:12:04.003Z order failed', { ownTimes: true });
  check('2026-11-30T10:12:04.003Z order failed', '2026-11-30T10:12:04.003Z order failed', { show: 'raw' });
  check('2026-11-30T10:12:04.003Z', '2026-11-30T10:12:04.003Z');
  check('a\tb', 'a       b');
  check('windows\r', 'windows');
  check('windows\r', 'windows␍', { show: 'raw' });
  check('10%\r20%', '10%␍20%');
  check('\x1b[31mred\x1b[0m', 'red');
  check('\x1b[31mred\x1b[0m', 'red', { ansi: false });
  check('\x1b[31mred\x1b[0m', '␛[31mred␛[0m', { show: 'raw' });
  check('{"level":"info","ts":"2026-11-30T10:12:04.003Z","user":{"id":7},"msg":"signed in","ip":"10.0.0.1"}', 'signed in user.id=7 ip=10.0.0.1');
  check('{"level":"warn","msg":"x"}', 'x level=warn');
  check('{"level":"info","msg":"x"}', '{"level":"info","msg":"x"}', { show: 'raw' });
  check('{"level":"info","ts":"2026-11-30T10:12:04.003Z"}', '{"level":"info","ts":"2026-11-30T10:12:04.003Z"}');
  check('{"a":["b c", {"d": 1}]}', 'a=["b c",{"d":1}]');
  check('{"a":"b c","d":"","e":"x\\ny"}', 'a="b c" d="" e=x␊y');
  check('ts=2026-11-30T10:12:04.003Z level=info msg="signed in" user=7', 'signed in user=7');
  check('2026-11-30T10:12:04Z level=info msg="signed in" user=7', 'signed in user=7');
  check('retry a=1 b=2', 'retry a=1 b=2');
  check('{"msg":"\\u001b[31mred"}', 'red');
  check('{"a":"\\u202e"}', 'a=⟪RLO⟫');
  check('first\nsecond', 'first\n└ second');
  check('first\nsecond\n\n', 'first\n└ second');
  check('first\n', 'first');
  check('first\n  at a.b (c.go:1)\n  at d.e (f.go:2)', 'first\n└ at a.b (c.go:1)  … 1 more line');
  check('first\n  at a\n\tat b', 'first\n  at a\n        at b', { isUnfolded: true });
  check('{"msg":"failed","stack":"Error: x\\n    at a (b.js:1:2)\\n    at c (d.js:3:4)","n":1}', 'failed n=1\n└ at a (b.js:1:2)  … 2 more lines');
  check('{"msg":"failed","stack":"Error: x\\n  at a (b.js:1:2)","n":1}', 'failed n=1\nError: x\n  at a (b.js:1:2)', { isUnfolded: true });

  it('says what is hidden', () => {
    expect(shown('2026-11-30T10:12:04.003Z x').hidden).toBe('2026-11-30T10:12:04.003Z ');
    expect(shown('x\ny\nz').more).toBe(1);
    expect(shown('x').hidden).toBeUndefined();
  });
  it('cuts long lines and says so', () => {
    const { plain, rest } = shown('x'.repeat(1 << 20), { limit: 100 });
    expect(plain).toMatch(/^x{100} … .* · show all$/);
    expect(rest).toBe((1 << 20) - 100);
    expect(shown('\u{1f600}'.repeat(100), { limit: 9 }).plain).toMatch(/^(\u{1f600}){4} …/u);
    expect(shown('x'.repeat(100), { limit: 100 }).rest).toBeUndefined();
  });
  it('mutes fields and not the message', () => {
    expect(shown('{"msg":"x","a":1}').spans).toEqual([{ text: 'x' }, { text: ' a=', class: 't-key' }, { text: '1', class: 't-value' }]);
  });
  it('counts cells', () => {
    expect(shown('日本').columns).toBe(4);
    expect(shown('abc\nde').columns).toBe(4);
  });
  it('knows plain lines without making them', () => {
    for (const text of ['plain text', 'GET /items/17 200 12ms', '', 'error: x = 1']) {
      expect(isPlain(text)).toBe(true);
      expect(shown(text).plain).toBe(text);
      expect(shown(text, { show: 'raw' }).plain).toBe(text);
    }
    for (const text of ['{"a":1}', 'a=1', 'ü', '\x1b[m', '10:12:04 x', '[x]', 'Nov 30', 'I1130', 'a\nb', 'a\tb']) expect(isPlain(text)).toBe(false);
  });
});
