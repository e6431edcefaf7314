import { expect, test } from 'vitest';
import type { AgentStatus } from '../../src/api/status';
import { readPreferences } from '../../src/preferences';
import { DEFAULT_PREFERENCES } from '../../src/state';
import { permissionCommand } from '../../src/view/nothing';
import { placeBeside } from '../../src/view/menu';
import { judge } from '../../src/view/verdict';

test.each([
  ['nothing', null],
  ['no JSON', '{'],
  ['no object', '3'],
  ['another version', '{"version":2,"theme":"dark"}'],
])('preferences fall to the default for %s', (_, text) => {
  expect(readPreferences(text)).toEqual(DEFAULT_PREFERENCES);
});

test('of stored preferences only what is one of today counts', () => {
  const text = JSON.stringify({ version: 1, theme: 'dark', rowHeight: 19, order: 'up', wrap: 'yes', ansi: false, detailWidth: 500, more: 1, ['__proto__']: { show: 'raw' } });
  expect(readPreferences(text)).toEqual({ ...DEFAULT_PREFERENCES, theme: 'dark', ansi: false, detailWidth: 500 });
});

const WINDOW = { width: 1_000, height: 800 };
const at = (left: number, top: number, right = left + 100, bottom = top + 30) => ({ left, top, right, bottom }) as DOMRect;

test.each([
  ['below, from the left', at(50, 10), { width: 200, height: 300 }, false, { left: 50, top: 44 }],
  ['below, to the right', at(850, 10), { width: 300, height: 300 }, true, { left: 650, top: 44 }],
  ['within the window', at(950, 10), { width: 300, height: 300 }, false, { left: 692, top: 44 }],
  ['above where there is more room', at(50, 700), { width: 200, height: 300 }, false, { left: 50, top: 396 }],
  ['at the top where there is not enough', at(50, 500), { width: 200, height: 900 }, false, { left: 50, top: 8 }],
])('a popover stands %s', (_, anchor, box, isEnd, expected) => {
  expect(placeBeside(anchor, box, WINDOW, isEnd)).toMatchObject(expected);
});

const well = {
  problem: undefined, unaccounted_bytes: 0, gaps: [], unreadable_parts: 0, sources: [{ path: '/a', state: 'active' }],
} as unknown as AgentStatus;

test.each([
  ['well', well, '', 'good', 'All is well.'],
  ['not asked yet', null, '', 'unknown', 'Asking the agent…'],
  ['away', well, 'refused', 'bad', 'The agent cannot be reached.'],
  ['not storing', { ...well, problem: 'disk is full' }, '', 'bad', 'Lines are not being stored: disk is full'],
  ['miscounting', { ...well, unaccounted_bytes: 1 }, '', 'bad', 'Some bytes are neither stored nor accounted for.'],
  ['missing lines', { ...well, gaps: [{}] } as unknown as AgentStatus, '', 'warn', '1 problem'],
  ['refused a file', { ...well, sources: [{ state: 'unreadable' }], unreadable_parts: 3 } as unknown as AgentStatus, '', 'warn', '2 problems'],
])('says that the agent is %s', (_, now, error, kind, words) => {
  expect(judge(now, error)).toEqual({ kind, words });
});

test('a command is safe to paste', () => {
  expect(permissionCommand('/var/log/a.log')).toBe('sudo chmod o+r /var/log/a.log');
  expect(permissionCommand("/var/log/it's $(x).log")).toBe("sudo chmod o+r '/var/log/it'\\''s $(x).log'");
});
