// Single keys and the few combinations: who asked for which key, in what order they are tried, and the table that the help shows.
import { signal } from '@preact/signals';
import { preferences } from './state';

export interface KeyBinding {
  /** As `KeyboardEvent.key` says it, with `Mod+` (Ctrl, or ⌘ on a Mac), `Alt+`, and `Shift+` where the key has no letter of its own: `q`, `G`, `?`,
   * `Space`, `Escape`, `ArrowDown`, `Mod+k`, `Alt+Enter`, `Shift+ArrowDown`. */
  readonly keys: readonly string[];
  /** What it does, for the help: `pause, follow`. */
  readonly does: string;
  /** Returning `false` says that there was nothing to do: the next binding of the key is tried. */
  readonly run: (event: KeyboardEvent) => void | boolean;
  readonly when?: () => boolean;
  /** Which of several is tried first, the highest; among equals the newest. Escape: menus 40, detail 30, find 20, zoom 10. */
  readonly rank?: number;
  /** Also while a text box has the focus. */
  readonly isEverywhere?: boolean;
}

export interface KeyGroup {
  readonly group: string;
  readonly keys: readonly KeyBinding[];
}

/** What is registered now, the oldest first. */
export const registered = signal<readonly KeyGroup[]>([]);

/** Adds keys and gives back what takes them away again. */
export function registerKeys(group: string, keys: readonly KeyBinding[]): () => void {
  const entry: KeyGroup = { group, keys };
  registered.value = [...registered.value, entry];
  return () => {
    registered.value = registered.value.filter((other) => other !== entry);
  };
}

const isMac = typeof navigator !== 'undefined' && /Mac|iP(hone|ad)/.test(navigator.platform);

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>;

/** The name of a pressed key as bindings write it; `''` for combinations that are the browser's or the system's. */
export function keyName(event: Pressed, mac = isMac): string {
  const isMod = mac ? event.metaKey : event.ctrlKey;
  if (mac ? event.ctrlKey : event.metaKey) return '';
  const key = event.key === ' ' ? 'Space' : event.key;
  const isCharacter = [...key].length === 1;
  // AltGr and Option write characters; a letter under Ctrl is named without its case.
  const isAlt = event.altKey && !(isCharacter && !/^[a-z0-9]$/i.test(key));
  const name = isMod && isCharacter ? key.toLowerCase() : key;
  const isShift = event.shiftKey && (!isCharacter || isMod);
  return `${isMod ? 'Mod+' : ''}${isAlt ? 'Alt+' : ''}${isShift ? 'Shift+' : ''}${name}`;
}

/** Whether a preference may switch the key off: one character, nothing held. */
export function isSingle(name: string): boolean {
  return [...name].length === 1;
}

const TYPES_WITHOUT_TEXT = /^(checkbox|radio|button|submit|range|color|file|reset)$/;

export function isTextBox(element: EventTarget | null): boolean {
  if (!(element instanceof HTMLElement)) return false;
  if (element instanceof HTMLInputElement) return !TYPES_WITHOUT_TEXT.test(element.type);
  return element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement || element.isContentEditable;
}

/** Where the pressed key already has a meaning: a button takes Enter and space, a menu everything, a dialog also what is beside it. */
function isTaken(name: string, target: Element | null): boolean {
  if (document.querySelector('[aria-modal=true]') !== null) return true;
  if (target === null) return false;
  if (target.closest('[data-keys=own]') !== null) return !name.startsWith('Mod+');
  if (name !== 'Enter' && name !== 'Space') return false;
  return target.closest('button, a[href], input, summary, [role=button], [role=tab], [role=option], [role=menuitem], [role=switch]') !== null;
}

/** The bindings of a key in the order in which they are tried. */
export function candidates(name: string, groups: readonly KeyGroup[]): KeyBinding[] {
  const found = groups.flatMap((group) => group.keys.filter((binding) => binding.keys.includes(name))).reverse();
  return found.sort((a, b) => (b.rank ?? 0) - (a.rank ?? 0));
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const name = keyName(event);
  if (name === '') return;
  const target = event.target instanceof Element ? event.target : null;
  if (isTaken(name, target)) return;
  if (isSingle(name) && !preferences.value.singleKeys) return;
  const inText = isTextBox(target);
  for (const binding of candidates(name, registered.value)) {
    // A character is text there, whatever else it means.
    if (inText && (binding.isEverywhere !== true || isSingle(name)) && !name.startsWith('Mod+')) continue;
    if (binding.when !== undefined && !binding.when()) continue;
    if (binding.run(event) === false) continue;
    event.preventDefault();
    return;
  }
}

/** Listens for keys until the page ends. */
export function listen(): void {
  addEventListener('keydown', onKey);
}

const SYMBOLS: Record<string, string> = {
  Mod: isMac ? '⌘' : 'Ctrl', Alt: isMac ? '⌥' : 'Alt', Shift: 'Shift', Space: 'Space', Escape: 'Esc', ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←',
  ArrowRight: '→', PageUp: 'PgUp', PageDown: 'PgDn',
};

/** The parts of a key's name as they are drawn, one key cap each. */
export function keyCaps(name: string): string[] {
  if (name === '+') return ['+'];
  return name.split('+').map((part) => SYMBOLS[part] ?? (isSingle(part) && name !== part ? part.toUpperCase() : part));
}
