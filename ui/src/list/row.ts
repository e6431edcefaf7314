// The element of one row: made once, filled again and again.
import { groupOf, type Line } from '../model';
import type { Display, Span } from '../text/display';

/** Characters of a line in the row's accessible name. */
const NAME_CHARS_MAX = 200;

/** What a row says of a line. */
export interface Content {
  readonly line: Line;
  readonly display: Display;
  readonly time: string;
  readonly tag: { readonly text: string; readonly hue: number } | null;
  readonly cells: readonly string[];
  readonly columnWidths: readonly number[];
}

/** How a row looks besides its content. */
export interface Look {
  readonly isFocused: boolean;
  readonly isSelected: boolean;
  readonly isMarked: boolean;
  readonly isLate: boolean;
  /** What says that other lines are folded into this one; `''` where none is. */
  readonly note: string;
}

/** A row that is drawn: a line with its text, or a marker before a line. */
export class RowElement {
  readonly element = make('div', 'line');
  readonly time = make('a', 'line-time');
  readonly text = make('div', 'line-text');
  /** The line; the line behind it for a marker. */
  index = -1;
  /** The content that is drawn was made for this version of the list's options. */
  version = -1;
  /** Counts how often the text was drawn: ranges in it are those of one time. */
  fills = 0;
  display: Display | undefined;
  /** Text rows as drawn; 0 while they have to be measured. */
  rows = 1;
  y = NaN;
  isUnfolded = false;
  readonly #mark = make('span', 'mark');
  readonly #tag = make('span', 'line-tag');
  readonly #cells = make('span', 'line-cells');
  readonly #plain = document.createTextNode('');
  #note: HTMLElement | undefined;
  #group = '';
  #look = '';

  constructor() {
    for (const cell of [this.#mark, this.#tag, this.text]) cell.setAttribute('role', 'gridcell');
    this.time.setAttribute('role', 'link');
    const time = make('span', 'line-when');
    time.setAttribute('role', 'gridcell');
    time.append(this.time);
    this.text.append(this.#plain);
    this.element.setAttribute('role', 'row');
    this.element.append(this.#mark, time, this.text);
  }

  fill({ line, display, time, tag, cells, columnWidths }: Content): void {
    this.display = display;
    this.fills += 1;
    this.#group = groupOf(line.level);
    this.#mark.className = `line-mark mark mark-${this.#group}`;
    this.time.textContent = time;
    this.time.removeAttribute('href');
    this.#fillTag(tag);
    this.#fillCells(cells, columnWidths);
    this.#fillText(display.spans);
    const name = display.plain.slice(0, NAME_CHARS_MAX);
    this.element.setAttribute('aria-label', `${line.level}, ${time}, ${tag === null ? '' : `${tag.text}, `}${name}`);
    this.element.setAttribute('aria-rowindex', String(this.index + 1));
    this.#look = '';
  }

  #fillTag(tag: Content['tag']): void {
    if (tag === null) {
      this.#tag.remove();
      return;
    }
    this.#tag.textContent = tag.text;
    this.#tag.className = `line-tag hue-${tag.hue}`;
    if (this.#tag.parentNode === null) this.element.insertBefore(this.#tag, this.text);
  }

  #fillText(spans: readonly Span[]): void {
    const [first] = spans;
    if (spans.length === 1 && first !== undefined && first.class === undefined && first.colour === undefined && first.background === undefined) {
      if (this.#plain.parentNode !== this.text || this.text.childNodes.length !== 1) this.text.replaceChildren(this.#plain);
      if (this.#plain.data !== first.text) this.#plain.data = first.text;
      return;
    }
    this.text.replaceChildren(...spans.map((span) => {
      if (span.class === undefined && span.colour === undefined && span.background === undefined) return document.createTextNode(span.text);
      const element = make(span.class?.endsWith('hit') === true ? 'mark' : 'span', span.class ?? '');
      if (span.colour !== undefined) element.style.color = span.colour;
      if (span.background !== undefined) element.style.backgroundColor = span.background;
      element.textContent = span.text;
      return element;
    }));
  }

  #fillCells(cells: readonly string[], widths: readonly number[]): void {
    if (cells.length === 0) {
      this.#cells.remove();
      return;
    }
    this.#cells.replaceChildren(...cells.map((cell, at) => {
      const element = make('span', 'line-cell');
      element.setAttribute('role', 'gridcell');
      element.style.width = `${widths[at] ?? 0}px`;
      element.textContent = cell;
      return element;
    }));
    if (this.#cells.parentNode === null) this.element.insertBefore(this.#cells, this.text);
  }

  /** Whether it is one row of text and nothing else. */
  get isShort(): boolean {
    return this.rows === 1 && this.#note === undefined;
  }

  look({ isFocused, isSelected, isMarked, isLate, note }: Look): void {
    const look = `${isFocused ? ' is-focused' : ''}${isSelected ? ' is-selected' : ''}${isMarked ? ' is-marked' : ''}${isLate ? ' is-late' : ''}`;
    const key = `${look}|${note}`;
    if (key === this.#look) return;
    this.#look = key;
    this.element.className = `line l-${this.#group}${look}`;
    this.element.tabIndex = isFocused ? 0 : -1;
    this.element.setAttribute('aria-selected', String(isSelected));
    if (isMarked) this.element.setAttribute('aria-current', 'true');
    else this.element.removeAttribute('aria-current');
    if (note === '') {
      this.#note?.remove();
      this.#note = undefined;
    } else {
      this.#note ??= make('div', 'line-note');
      this.#note.textContent = note;
      if (this.#note.parentNode === null) this.element.append(this.#note);
    }
  }
}

export function make<Name extends keyof HTMLElementTagNameMap>(name: Name, className: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = className;
  return element;
}
