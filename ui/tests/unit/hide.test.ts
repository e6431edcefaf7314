// The own timestamp of a line is found where it says the row's time, and nowhere else.
import { describe, expect, it } from 'vitest';
import { isRowTime, ownTimeEnd } from '../../src/text/hide';
import { TIME } from './lines';

describe('ownTimeEnd', () => {
  // What is left of the text, for a row of 2026-11-30 10:12:04.003 UTC.
  const check = (text: string, expected: string, level = 'info') => it(text, () => expect(text.slice(ownTimeEnd(text, TIME, level))).toBe(expected));
  const same = (text: string) => check(text, text);
  check('2026-11-30T10:12:04.003Z order failed', 'order failed');
  check('2026-11-30T10:12:04.003456789Z order failed', 'order failed');
  check('2026-11-30 10:12:04,003 - app - INFO', 'app - INFO');
  check('2026-11-30 10:12:04 UTC [12] LOG', '[12] LOG');
  check('2026/11/30 10:12:04 [error] 7#7', '[error] 7#7');
  check('2026-11-30T11:12:04+01:00 x', 'x');
  check('2026-11-30T11:12:04+0100 x', 'x');
  check('2026-11-30 11:12:04 x', 'x');
  check('2026-11-30 15:57:04 Kathmandu', 'Kathmandu');
  check('2026-11-30 11:12:04 CET x', 'x');
  check('2026-11-30 11:12:04.003 CETACEAN', 'CETACEAN');
  check('[2026-11-30 10:12:04] x', 'x');
  check('[10:12:04.003] x', 'x');
  check('10:12:05 x', 'x');
  check('11:12:04 x', 'x');
  check('Nov 30 10:12:04 host app[1]: x', 'host app[1]: x');
  check('[Mon Nov 30 10:12:04.003 2026] [core:error]', '[core:error]');
  check('[30/Nov/2026:11:12:04 +0100] "GET /"', '"GET /"');
  check('1796033524.003 x', 'x');
  check('1796033524003 x', 'x');
  check('1796033524003000000 x', 'x');
  check('I1130 10:12:04.003456       1 main.go:88] x', '1 main.go:88] x');
  check('E1130 10:12:04.003456       1 main.go:88] x', 'E1130 10:12:04.003456       1 main.go:88] x', 'info');
  check('E1130 10:12:04.003456       1 main.go:88] x', '1 main.go:88] x', 'error');
  check('2026-11-30T10:12:04.003Z | x', 'x');
  check('2026-11-30T10:12:04.003Z', '');
  check('\x1b[2m2026-11-30T10:12:04.003Z\x1b[0m \x1b[32mINFO\x1b[0m x', '\x1b[32mINFO\x1b[0m x');
  check('\x1b[90m10:12:04\x1b[0m x', 'x');
  same('\x1b[31mno time');
  same('2026-11-30T10:12:07Z too late');
  same('2026-11-30T10:12:04+05:00 another time');
  same('2026-11-29 10:12:04 yesterday');
  same('2026-11-30 10:19:04 no zone is seven minutes off');
  same('2026-11-30T10:12:04.003Zebra');
  same('10:12 no seconds');
  same('10:12:04th');
  same('99:99:99 x');
  same('Nox 30 10:12:04 x');
  same('1796033524x');
  same('1796033000 x');
  same('The log');
  same('404 not found');
  same('');
});

describe('isRowTime', () => {
  const check = (name: string, value: string, expected: boolean) => it(`${name}=${value}`, () => expect(isRowTime(name, value, TIME)).toBe(expected));
  check('ts', '2026-11-30T10:12:04.003Z', true);
  check('@timestamp', '2026-11-30T10:12:04.003Z', true);
  check('time', '1796033524003', true);
  check('ts', '1796033524.0031', true);
  check('ts', '2026-11-30T09:12:04.003Z', false);
  check('time', '10:12:04 and more', false);
  check('started', '2026-11-30T10:12:04.003Z', false);
  check('time', '', false);
});
