// What is said beyond the first and the last line, in rows of their own.
import type { Grid } from './grid';
import { make } from './row';
import type { Scroller } from './scroll';

export class Notes {
  readonly #above = make('div', 'list-note');
  readonly #below = make('div', 'list-note');

  constructor(private readonly canvas: HTMLElement) {}

  /** Draws those that are on screen. */
  place(grid: Grid, scroller: Scroller): void {
    const { order, startNote, endNote, rowHeight } = grid.options;
    const [above, below] = order === 'asc' ? [startNote, endNote] : [endNote, startNote];
    for (const [element, text, y] of [[this.#above, above, 0], [this.#below, below, grid.height - rowHeight]] as const) {
      const isSeen = text !== '' && y < scroller.top + scroller.height && scroller.top < y + rowHeight;
      if (!isSeen) {
        element.remove();
        continue;
      }
      if (element.textContent !== text) element.textContent = text;
      if (element.parentNode === null) this.canvas.append(element);
      element.style.transform = `translateY(${y - scroller.origin}px)`;
    }
  }
}
