// Escape sequences become looks or nothing, never markup, and stay readable.
import { describe, expect, it } from 'vitest';
import { readAnsi, stripAnsi } from '../../src/text/ansi';
import { contrast, readable } from '../../src/text/colour';
import type { Span } from '../../src/text/display';

describe('readAnsi', () => {
  const check = (input: string, expected: Span[]) => it(JSON.stringify(input).slice(0, 70), () => expect(readAnsi(input, true)).toEqual(expected));
  check('plain', [{ text: 'plain' }]);
  check('\x1b[31mred\x1b[0m rest', [{ text: 'red', class: 't-fg1' }, { text: ' rest' }]);
  check('\x1b[mnothing', [{ text: 'nothing' }]);
  check('\x1b[1;4;91mx', [{ text: 'x', class: 't-bold t-underline t-fg9' }]);
  check('\x1b[2mdim\x1b[22m not', [{ text: 'dim', class: 't-dim' }, { text: ' not' }]);
  check('\x1b[3;9mx\x1b[23my\x1b[29mz', [{ text: 'x', class: 't-italic t-strike' }, { text: 'y', class: 't-strike' }, { text: 'z' }]);
  check('\x1b[7mx\x1b[27my', [{ text: 'x', class: 't-inverse' }, { text: 'y' }]);
  check('\x1b[31;7mx', [{ text: 'x', class: 't-bg1' }]);
  check('\x1b[37;41mx', [{ text: 'x', class: 't-bg1' }]);
  check('\x1b[32;40mx', [{ text: 'x', class: 't-fg2' }]);
  check('\x1b[38;5;9mx', [{ text: 'x', class: 't-fg9' }]);
  check('\x1b[38;5;231mx', [{ text: 'x', colour: '#ffffff' }]);
  check('\x1b[38;5;255mx', [{ text: 'x', colour: '#eeeeee' }]);
  check('\x1b[38;2;255;255;0mx', [{ text: 'x', colour: '#ffff00' }]);
  check('\x1b[38:2::255:255:0mx', [{ text: 'x', colour: '#ffff00' }]);
  check('\x1b[38:2:255:255:0mx', [{ text: 'x', colour: '#ffff00' }]);
  check('\x1b[4:3mx\x1b[4:0my', [{ text: 'x', class: 't-underline' }, { text: 'y' }]);

  check('\x1b[48;5;226mx', [{ text: 'x', colour: '#000000', background: '#ffff00' }]);
  check('\x1b[8mhidden text is shown', [{ text: 'hidden text is shown' }]);
  check('a\x1b[2K\x1b[1Ab\x1b[?25lc\x1b[10;20r', [{ text: 'abc' }]);
  check('\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\link\x1b]8;;\x07', [{ text: 'xlink' }]);
  check('\x1b]52;c;ZXZpbA==\x07x', [{ text: 'x' }]);
  check('\x1bPq#0\x1b\\x\x1b_apc\x1b\\y\x1bcz\x1b(B', [{ text: 'xyz' }]);
  check('\x1b]0;never ends', [{ text: '\x1b]0;never ends' }]);
  check('cut \x1b[31', [{ text: 'cut \x1b[31' }]);
  check('cut \x1b', [{ text: 'cut \x1b' }]);
  check('\x1b[38;5mx\x1b[38mx\x1b[999mx\x1b[48;2mx', [{ text: 'xxxx' }]);
  check('\x1b[>4;1mx', [{ text: 'x' }]);
  check('\x1b[31m\x1b[32m\x1b[31ma\x1b[1m\x1b[22mb', [{ text: 'ab', class: 't-fg1' }]);

  it('keeps the text and the number of spans in bounds', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `\x1b[3${index % 8}m${index % 10}`).join('');
    const spans = readAnsi(many, true);
    expect(spans.length).toBe(500);
    expect(spans.map((span) => span.text).join('')).toBe(stripAnsi(many));
  });

  it('takes linear time for strings that do not end', () => {
    const started = performance.now();
    expect(stripAnsi('\x1b]'.repeat(300_000)).length).toBe(600_000);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('readable', () => {
  it('lifts every colour of the 256 to 4.5 : 1 on both backgrounds', () => {
    for (const [isDark, background] of [[true, [0x11, 0x14, 0x19]], [false, [255, 255, 255]]] as const) {
      for (let index = 16; index < 256; index += 1) {
        const [span] = readAnsi(`\x1b[38;5;${index}mx`, isDark);
        const colour = [1, 3, 5].map((at) => parseInt(span!.colour!.slice(at, at + 2), 16)) as [number, number, number];
        expect(contrast(colour, background as [number, number, number]), `${index} ${isDark}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
  it('leaves readable colours as they are', () => expect(readable([255, 255, 0], [0, 0, 0])).toEqual([255, 255, 0]));
});
