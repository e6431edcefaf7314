// The line list: rows of a grid for any number of lines, without Preact.
import type { LineStore } from './store';
import type { ListEvents, ListOptions } from './options';
import { Selection } from './select';

export type { ListEvents, ListOptions, Viewport, Find } from './options';

export class LineList {
  readonly selection = new Selection();

  constructor(readonly host: HTMLElement, readonly store: LineStore, options: ListOptions) {
    void options;
  }

  /** Whether the newest end is followed. */
  get isPinned(): boolean {
    return true;
  }

  /** Index of the focused line, -1 for none. */
  get focusedIndex(): number {
    return -1;
  }

  setOptions(change: Partial<ListOptions>): void {
    void change;
  }

  /** To the newest line, and follows it from there on. */
  scrollToEnd(): void {}

  /** To the oldest line held. */
  scrollToStart(): void {}

  scrollToIndex(index: number, where: 'center' | 'nearest' = 'nearest'): void {
    void index;
    void where;
  }

  /** Stops following the end without moving. */
  unpin(): void {}

  /** Focuses a line, -1 for none; brings it into view. `isKeyboard` moves the browser's focus there too. */
  focus(index: number): void {
    void index;
  }

  /** Focuses the next (1) or the previous (-1) row in the order shown; `isExtending` selects what is passed. */
  moveFocus(step: number, isExtending = false): void {
    void step;
    void isExtending;
  }

  /** Folds or unfolds an entry of several lines or a run of repeats. */
  toggleFold(index: number): void {
    void index;
  }

  /** Folds or unfolds all that is loaded. */
  toggleAllFolds(): void {}

  /** The element of a line's row while it is drawn. */
  rowElement(index: number): HTMLElement | undefined {
    void index;
    return undefined;
  }

  on<Name extends keyof ListEvents>(event: Name, fn: (value: ListEvents[Name]) => void): () => void {
    void event;
    void fn;
    return () => {};
  }

  destroy(): void {}
}
