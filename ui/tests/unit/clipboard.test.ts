// What is copied is the data, without what acts in a terminal.
import { describe, expect, it } from 'vitest';
import { forClipboard, objectsOf, textOf } from '../../src/text/clipboard';
import { line } from './lines';

describe('forClipboard', () => {
  const check = (input: string, expected: string) => it(JSON.stringify(input), () => expect(forClipboard(input)).toBe(expected));
  check('a\tb\nc', 'a\tb\nc');
  check('\x1b[31mred\x1b[0m', 'red');
  check('\x1b]52;c;x\x07y', 'y');
  check('\x1b', '');
  check('a\rb\0c\x7fd\x9be', 'abcde');
  check('ünï 日本 😀', 'ünï 日本 😀');
});

describe('textOf', () => {
  it('joins lines', () => expect(textOf([line('a'), line('b\nc')])).toBe('a\nb\nc'));
  it('lets no line swallow the next', () => expect(textOf([line('a\x1b]0;'), line('b\x07')])).toBe('a]0;\nb'));
  it('puts time and stream in front', () => expect(textOf([line('x')], { zone: 'UTC', hasStreams: true })).toBe('2026-11-30T10:12:04.003Z app: x'));
  it('leaves raw lines as they are', () => expect(textOf([line('\x1b[31mx\r')], { isRaw: true })).toBe('\x1b[31mx\r'));
});

describe('objectsOf', () => {
  it('writes an object a line', () => {
    const stored = { ...line('x'), metadata: new Map([['__proto__', '1']]) };
    expect(objectsOf([stored, line('y')], undefined)).toBe(
      '{"labels":{"path":"/var/log/app.log"},"line":"x","metadata":{"__proto__":"1"}}\n{"labels":{"path":"/var/log/app.log"},"line":"y"}');
  });
});
