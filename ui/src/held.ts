// Keys that are pressed while a part of the page that they are for is still being loaded: they are kept, and pressed again when it is there.
import { isTextBox } from './keys';

let held: KeyboardEvent[] = [];
let isPressing = false;

function hold(event: KeyboardEvent): void {
  if (!event.isTrusted || event.ctrlKey || event.metaKey || event.altKey || event.key === 'Tab' || (!isPressing && isTextBox(event.target))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  held.push(event);
}

/** Keeps keys from now on, but for those typed into a text box. */
export function holdKeys(): void {
  addEventListener('keydown', hold, true);
}

/** Presses what was kept, one key after the other, or forgets it where nothing came of what it was for. */
export function releaseKeys(isDrawn: boolean): void {
  if (!isDrawn) held = [];
  isPressing = true;
  // What a key opens is drawn and has taken the focus by the next task.
  setTimeout(() => {
    const event = held.shift();
    if (event === undefined) {
      isPressing = false;
      removeEventListener('keydown', hold, true);
    } else {
      press(event);
      releaseKeys(true);
    }
  });
}

/** What the browser would do with a key, as far as forms, buttons and texts need it. */
function press({ key, shiftKey }: KeyboardEvent): void {
  const target = document.activeElement ?? document.body;
  if (!target.dispatchEvent(new KeyboardEvent('keydown', { key, shiftKey, bubbles: true, cancelable: true }))) return;
  if (isTextBox(target) && [...key].length === 1) document.execCommand('insertText', false, key);
  else if (key === 'Enter' && target instanceof HTMLInputElement) target.form?.requestSubmit();
  else if (key === 'Enter' && target instanceof HTMLElement) target.click();
}
