// The names above columns: drag to move, drag the edge to resize, × to remove; the same by keys.
import type { Geometry } from './geometry';
import { make } from './row';

const CELLS_MIN = 3;
const CELLS_MAX = 120;

export class Header {
  readonly element = make('div', 'list-header');
  #names: readonly string[] = [];
  #geometry: Geometry | undefined;

  constructor(
    /** Widths that were changed by hand, in cells. */
    private readonly cells: Map<string, number>,
    private readonly onNames: (names: readonly string[]) => void,
    private readonly onWidth: () => void,
  ) {
    this.element.hidden = true;
  }

  show(names: readonly string[]): void {
    if (names.join('\0') === this.#names.join('\0')) return;
    this.#names = names;
    this.element.hidden = names.length === 0;
    this.element.replaceChildren(...names.map((name) => this.#cell(name)));
    if (this.#geometry !== undefined) this.place(this.#geometry);
  }

  place(geometry: Geometry): void {
    this.#geometry = geometry;
    this.element.style.paddingLeft = `${geometry.columnsLeft}px`;
    for (const [at, cell] of [...this.element.children].entries()) {
      (cell as HTMLElement).style.width = `${geometry.columnWidths[at] ?? 0}px`;
      (cell as HTMLElement).style.marginRight = `${geometry.cell}px`;
    }
  }

  #cell(name: string): HTMLElement {
    const cell = make('div', 'list-column');
    const title = make('button', 'list-column-name');
    title.type = 'button';
    title.textContent = name;
    title.title = `${name}: drag or Alt+arrows to move, arrows to resize`;
    const remove = make('button', 'list-column-remove');
    remove.type = 'button';
    remove.textContent = '×';
    remove.setAttribute('aria-label', `Remove column ${name}`);
    remove.addEventListener('click', () => this.onNames(this.#names.filter((other) => other !== name)));
    const edge = make('div', 'list-column-edge');
    title.addEventListener('keydown', (event) => {
      const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
      if (step === 0) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.altKey) this.#move(name, step);
      else this.#resize(name, this.#cellsOf(name) + step);
    });
    drag(title, (by) => {
      const width = (this.#geometry?.cell ?? 8) * this.#cellsOf(name);
      if (Math.abs(by) < width / 2) return false;
      this.#move(name, Math.sign(by));
      return true;
    });
    let before = 0;
    drag(edge, (by, isFirst) => {
      if (isFirst) before = this.#cellsOf(name);
      this.#resize(name, before + Math.round(by / (this.#geometry?.cell ?? 8)));
      return false;
    });
    cell.append(title, remove, edge);
    return cell;
  }

  #cellsOf(name: string): number {
    const at = this.#names.indexOf(name);
    return Math.round((this.#geometry?.columnWidths[at] ?? 0) / (this.#geometry?.cell ?? 8));
  }

  #resize(name: string, cells: number): void {
    this.cells.set(name, Math.min(CELLS_MAX, Math.max(CELLS_MIN, cells)));
    this.onWidth();
  }

  #move(name: string, step: number): void {
    const names = this.#names.filter((other) => other !== name);
    names.splice(Math.max(0, this.#names.indexOf(name) + step), 0, name);
    this.onNames(names);
    (this.element.children[names.indexOf(name)]?.firstElementChild as HTMLElement | undefined)?.focus();
  }
}

/** Calls `move` with the way of the pointer since it went down, until it is let go or `move` says that it is done. */
function drag(element: HTMLElement, move: (by: number, isFirst: boolean) => boolean): void {
  element.addEventListener('pointerdown', (down) => {
    if (down.button !== 0) return;
    const stop = new AbortController();
    const { signal } = stop;
    let isFirst = true;
    addEventListener('pointermove', (event) => {
      if (move(event.clientX - down.clientX, isFirst)) stop.abort();
      isFirst = false;
    }, { signal });
    for (const name of ['pointerup', 'pointercancel'] as const) addEventListener(name, () => stop.abort(), { signal });
  });
}
