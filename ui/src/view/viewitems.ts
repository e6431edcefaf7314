// How lines are shown, as a menu for those who do not know the keys.
import { prefer } from '../preferences';
import { go } from '../route';
import { address, notify, preferences } from '../state';
import { isPhone, tab } from './asked';
import { chooseTab, TABS } from './bar';
import type { LogsModel } from './logsmodel';
import type { MenuItem } from './opener';

export function viewItems(model: LogsModel): MenuItem[] {
  const { wrap, show, fold } = address.value;
  const now = preferences.value;
  const isWrapped = wrap ?? now.wrap;
  const isRaw = (show ?? now.show) === 'raw';
  const check = (label: string, keys: string, isChecked: boolean, run: () => void): MenuItem => ({ label, keys, isChecked, run });
  // A phone has no room for tabs.
  const tabs = isPhone.peek() ? TABS.map(([name, label]): MenuItem => ({ label, isChecked: tab.peek() === name, run: () => chooseTab(name) })) : [];
  return [
    ...tabs,
    check('Wrap long lines', 'w', isWrapped, () => go({ wrap: !isWrapped }, 'replace')),
    check('Raw text', 'r', isRaw, () => go({ show: isRaw ? 'smart' : 'raw' }, 'replace')),
    check('Terminal colours', 'a', now.ansi, () => prefer({ ansi: !now.ansi })),
    check('Times within the text', 'T', now.ownTimes, () => prefer({ ownTimes: !now.ownTimes })),
    { ...check(fold === 'numbers' ? 'Fold repeats, but for numbers' : 'Fold repeats', 'd', fold !== 'no', foldNext) },
    { ...check('Fields', 'b', isPhone.peek() ? model.isDrawerOpen.peek() : now.sidebar, () => toggleFields(model)), isApart: true },
    check('Histogram', 'H', now.histogram !== 'hidden', () => prefer({ histogram: now.histogram === 'hidden' ? 'normal' : 'hidden' })),
  ];
}

export function toggleFields(model: LogsModel): void {
  if (isPhone.peek()) model.isDrawerOpen.value = !model.isDrawerOpen.peek();
  else prefer({ sidebar: !preferences.peek().sidebar });
}

const FOLDS = ['no', 'exact', 'numbers'] as const;

/** Off, exact, but for numbers. */
export function foldNext(): void {
  const next = FOLDS[(FOLDS.indexOf(address.peek().fold) + 1) % FOLDS.length]!;
  go({ fold: next }, 'replace');
  notify({ no: 'Repeats are shown', exact: 'Lines that are the same are one', numbers: 'Lines that are the same but for numbers are one' }[next]);
}
