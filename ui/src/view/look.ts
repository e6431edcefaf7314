// How lines are drawn, as the address and the preferences say: the same in every list.
import { computed, signal } from '@preact/signals';
import type { ListOptions } from '../list/options';
import { theme } from '../preferences';
import { address, preferences } from '../state';
import { isPhone, zone } from './asked';

/** Px of a text row: on a phone two of them are a target of 44 px, with any other finger one is more than a target of 24 px needs. */
const PHONE_ROW = 22;
const TOUCH_ROW = 24;

/** Whether a finger points. */
const isTouch = signal(false);
if (typeof matchMedia === 'function') {
  const media = matchMedia('(pointer: coarse)');
  isTouch.value = media.matches;
  media.addEventListener('change', () => (isTouch.value = media.matches));
}

export const look = computed((): Partial<ListOptions> => {
  const now = preferences.value;
  const { wrap, order, show } = address.value;
  return {
    wrap: wrap ?? now.wrap, order: order ?? now.order, show: show ?? now.show, zone: zone.value, timeFormat: now.timeFormat, ansi: now.ansi, ownTimes: now.ownTimes,
    isDark: theme.value === 'dark', isPhone: isPhone.value, isTall: isPhone.value,
    rowHeight: Math.max(now.rowHeight, isPhone.value ? PHONE_ROW : isTouch.value ? TOUCH_ROW : 0),
  };
});
