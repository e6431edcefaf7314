// Where keys lead that go from error to error.
import { signal } from '@preact/signals';
import { expect, it } from 'vitest';
import type { LineList } from '../../src/list/list';
import type { LogSession } from '../../src/session';
import { moveToError } from '../../src/view/finder';

it('waits for the lines that are being loaded before it looks for an error', async () => {
  const levels: string[] = [];
  const store = { levelAt: (index: number) => levels[index], get count() { return levels.length; } };
  const session = { state: signal('loading'), ends: signal({ start: 'loading', end: 'loading' }), store };
  const focused: number[] = [];
  const list = { focusedIndex: -1, scrollToIndex: () => {}, focus: (index: number) => focused.push(index) };
  const moved = moveToError(session as unknown as LogSession, list as unknown as LineList, -1);
  levels.push('info', 'error', 'info');
  session.state.value = 'ready';
  await Promise.resolve();
  expect(focused).toEqual([]);
  session.ends.value = { start: 'more', end: 'loading' };
  await moved;
  expect(focused).toEqual([1]);
});
