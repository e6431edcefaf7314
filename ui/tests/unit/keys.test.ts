import { afterEach, expect, test } from 'vitest';
import { candidates, isSingle, keyCaps, keyName, registered, registerKeys } from '../../src/keys';
import { TABLE } from '../../src/keytable';

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

test.each([
  ['a letter', { key: 'q' }, 'q'],
  ['a capital', { key: 'G', shiftKey: true }, 'G'],
  ['a sign', { key: '?', shiftKey: true }, '?'],
  ['space', { key: ' ' }, 'Space'],
  ['an arrow with Shift', { key: 'ArrowDown', shiftKey: true }, 'Shift+ArrowDown'],
  ['a letter with Ctrl', { key: 'K', ctrlKey: true }, 'Mod+k'],
  ['a letter with Ctrl and Shift', { key: 'K', ctrlKey: true, shiftKey: true }, 'Mod+Shift+k'],
  ['Enter with Alt', { key: 'Enter', altKey: true }, 'Alt+Enter'],
  ['a bracket that AltGr writes', { key: '[', altKey: true }, '['],
  ['a key of the system', { key: 'k', metaKey: true }, ''],
])('names %s', (_, event, expected) => {
  expect(keyName({ ...NONE, ...event }, false)).toBe(expected);
});

test('takes the command key on a Mac', () => {
  expect(keyName({ ...NONE, key: 'k', metaKey: true }, true)).toBe('Mod+k');
  expect(keyName({ ...NONE, key: 'k', ctrlKey: true }, true)).toBe('');
});

afterEach(() => {
  registered.value = [];
});

test('tries the highest rank first, then the newest', () => {
  const made: string[] = [];
  const bind = (name: string, rank?: number) => registerKeys(name, [{ keys: ['Escape'], does: name, run: () => void made.push(name), ...(rank === undefined ? {} : { rank }) }]);
  bind('unfocus');
  bind('detail', 30);
  const close = bind('find', 20);
  bind('newer');
  expect(candidates('Escape', registered.value).map(({ does }) => does)).toEqual(['detail', 'find', 'newer', 'unfocus']);
  close();
  expect(candidates('Escape', registered.value).map(({ does }) => does)).toEqual(['detail', 'newer', 'unfocus']);
});

test('counts as single what a preference may switch off', () => {
  expect(['q', '?', '1'].every(isSingle)).toBe(true);
  expect(['Space', 'Escape', 'Mod+k', 'ArrowDown'].some(isSingle)).toBe(false);
});

test('draws caps', () => {
  expect(keyCaps('+')).toEqual(['+']);
  expect(keyCaps('Mod+k')).toEqual(['Ctrl', 'K']);
  expect(keyCaps('g')).toEqual(['g']);
});

test('the table names every key once', () => {
  const all = TABLE.flatMap(([, keys]) => keys);
  expect(new Set(all).size).toBe(all.length);
});
