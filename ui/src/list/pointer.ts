// What the pointer and the keys do in the list: focus, open, select lines, fold, select text, copy.
import { textOf } from '../text/clipboard';
import { endsOf, textBetween } from './copy';
import type { LineList } from './list';
import type { RowElement } from './row';

/** Px that a pointer may move and still click. */
const CLICK_PX = 4;
/** While lines are selected by dragging beyond the edge, so many px are scrolled per frame. */
const DRAG_PX = 30;

export class Pointer {
  /** Where the pointer went down. */
  #down: { x: number; y: number } | undefined;
  /** Where the view stood then, if it followed the end. */
  #pinnedAt: number | undefined;
  /** The line from which a run is extended. */
  #from = -1;
  #drag: { y: number; timer: number } | undefined;
  readonly #stop = new AbortController();

  constructor(private readonly list: LineList) {
    const { canvas } = list;
    const { signal } = this.#stop;
    canvas.addEventListener('pointerdown', this.#onDown, { signal });
    canvas.addEventListener('pointerup', this.#onUp, { signal });
    canvas.addEventListener('pointercancel', this.#onUp, { signal });
    canvas.addEventListener('pointerover', this.#onOver, { signal });
    canvas.addEventListener('click', this.#onClick, { signal });
    canvas.addEventListener('keydown', this.#onKey, { signal });
    document.addEventListener('selectionchange', this.#onSelection, { signal });
    document.addEventListener('beforecopy', this.#onBeforeCopy, { signal });
    document.addEventListener('copy', this.#onCopy, { signal });
    list.store.subscribe((change) => {
      if (this.#from >= change.at) this.#from = this.#from < change.at + change.removed ? -1 : this.#from + change.inserted - change.removed;
    });
  }

  destroy(): void {
    this.#endDrag();
    this.#stop.abort();
  }

  #rowOf(target: EventTarget | null): RowElement | undefined {
    const element = target instanceof Element ? target : target instanceof Node ? target.parentElement : null;
    const line = element?.closest('.line');
    return line === null || line === undefined ? undefined : this.list.drawing.pool.lines.find((row) => row.element === line);
  }

  /** A link's address is made when it may be needed: most rows are never pointed at. */
  readonly #onOver = (event: PointerEvent): void => {
    const row = this.#rowOf(event.target);
    if (row !== undefined && row.index >= 0 && event.target === row.time) row.time.href = this.list.options.href(this.list.store.idAt(row.index));
  };

  readonly #onDown = (event: PointerEvent): void => {
    this.#down = { x: event.clientX, y: event.clientY };
    this.#pinnedAt = this.list.isPinned ? this.list.scroller.top : undefined;
    const row = this.#rowOf(event.target);
    if (row === undefined || event.button !== 0) return;
    // A row that moved on before the button is let go would not be clicked.
    this.list.unpin();
    if (!isTime(event.target) || event.pointerType !== 'mouse') return;
    // No text is selected by what selects lines.
    event.preventDefault();
    this.#select(row.index, event);
    row.element.focus({ preventScroll: true });
    this.#startDrag(event);
  };

  /** A finger that was moved clicks nothing; where it could not scroll, the end is followed as before. */
  readonly #onUp = (event: PointerEvent): void => {
    const { list } = this;
    const isClick = event.type === 'pointerup' && !this.#isMoved(event);
    if (event.pointerType === 'touch' && !isClick && list.scroller.top === this.#pinnedAt) list.scrollToEnd();
  };

  /** Whether the pointer is not where it went down. */
  #isMoved({ clientX, clientY }: MouseEvent): boolean {
    return this.#down !== undefined && Math.hypot(clientX - this.#down.x, clientY - this.#down.y) > CLICK_PX;
  }

  #select(index: number, { shiftKey, ctrlKey, metaKey }: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }): void {
    const { selection } = this.list;
    if (shiftKey && this.#from >= 0) {
      if (!ctrlKey && !metaKey) selection.clear();
      selection.add(this.#from, index);
    } else if (ctrlKey || metaKey) {
      selection.toggle(index);
      this.#from = index;
    } else {
      const isOnlyOne = selection.count === 1 && selection.has(index);
      selection.clear();
      if (!isOnlyOne) selection.add(index);
      this.#from = index;
    }
    this.list.unpin();
    this.#told();
  }

  #told(): void {
    this.list.emit('select', undefined);
    this.list.draw();
  }

  #startDrag(event: PointerEvent): void {
    const from = this.#from;
    if (from < 0) return;
    const drag = { y: event.clientY, timer: 0 };
    this.#drag = drag;
    const stop = new AbortController();
    const step = (): void => {
      if (this.#drag !== drag) return;
      const { view } = this.list;
      const { top, bottom } = view.getBoundingClientRect();
      if (drag.y < top) view.scrollTop -= DRAG_PX;
      else if (drag.y > bottom) view.scrollTop += DRAG_PX;
      const index = this.list.indexAtClient(Math.min(bottom - 1, Math.max(top, drag.y)));
      if (index >= 0 && this.#from >= 0 && index !== this.#from) {
        this.list.selection.clear();
        this.list.selection.add(this.#from, index);
        this.#told();
      }
      drag.timer = requestAnimationFrame(step);
    };
    addEventListener('pointermove', (move) => {
      drag.y = move.clientY;
      if (drag.timer === 0 && Math.abs(move.clientY - event.clientY) > CLICK_PX) drag.timer = requestAnimationFrame(step);
    }, { signal: stop.signal });
    addEventListener('pointerup', () => {
      stop.abort();
      this.#endDrag();
    }, { signal: stop.signal });
  }

  #endDrag(): void {
    if (this.#drag !== undefined) cancelAnimationFrame(this.#drag.timer);
    this.#drag = undefined;
  }

  readonly #onClick = (event: MouseEvent): void => {
    const { list } = this;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest('.marker-load')) {
      const marker = list.drawing.pool.markers.find(({ element }) => element.contains(target))?.marker;
      if (marker !== undefined && typeof marker !== 'string') list.emit('marker', marker);
      return;
    }
    const row = this.#rowOf(target);
    if (row === undefined) return;
    if (isTime(target)) {
      // With the keyboard, a finger or a tool: the pointer's own way has been gone already.
      event.preventDefault();
      const isMouse = event instanceof PointerEvent && event.pointerType === 'mouse';
      if (!isMouse || this.#down === undefined) this.#select(row.index, event);
      return;
    }
    if (target?.closest('.t-fold, .line-note')) {
      list.toggleFold(row.index);
      return;
    }
    if (target?.closest('.t-rest')) {
      list.focus(row.index);
      list.emit('rest', row.index);
      return;
    }
    if (this.#isMoved(event) || event.detail > 1 || getSelection()?.isCollapsed === false) return;
    list.focus(row.index);
    row.element.focus({ preventScroll: true });
    list.emit('open', row.index);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    const { list } = this;
    const isMod = event.ctrlKey || event.metaKey;
    const isPlain = !isMod && !event.altKey;
    const { key } = event;
    if (isMod && key === 'a' && list.store.count > 0) {
      list.selection.add(0, list.store.count - 1);
      this.#told();
    } else if (isPlain && (key === 'ArrowDown' || key === 'ArrowUp')) {
      list.moveFocus(key === 'ArrowDown' ? 1 : -1, event.shiftKey);
    } else if (isPlain && (key === 'PageDown' || key === 'PageUp')) {
      list.scrollPages(key === 'PageDown' ? 1 : -1);
    } else if ((key === 'ContextMenu' || (key === 'F10' && event.shiftKey)) && list.focusedIndex >= 0) {
      const anchor = list.rowElement(list.focusedIndex);
      if (anchor !== undefined) list.emit('menu', { index: list.focusedIndex, anchor });
    } else {
      return;
    }
    event.preventDefault();
  };

  /** Rows in which a selection begins or ends keep their elements, and nothing runs away below it. */
  readonly #onSelection = (): void => {
    const { held } = this.list;
    const selection = getSelection();
    held.clear();
    if (selection === null || selection.isCollapsed) return;
    for (const node of [selection.anchorNode, selection.focusNode]) {
      const row = this.#rowOf(node);
      if (row !== undefined) held.add(row);
    }
    if (held.size > 0) this.list.unpin();
  };

  readonly #onBeforeCopy = (event: Event): void => {
    if (this.#copied() !== '') event.preventDefault();
  };

  readonly #onCopy = (event: ClipboardEvent): void => {
    const text = this.#copied();
    if (text === '') return;
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };

  /** Text that is selected across rows, or else the selected lines, unless something else in the page is meant. */
  #copied(): string {
    const { store } = this.list;
    const ends = endsOf(getSelection(), (node) => this.#rowOf(node));
    if (ends !== null) return textBetween(ends, store);
    const active = document.activeElement;
    const isMeant = active === null || active === document.body || this.list.root.contains(active);
    if (!isMeant || getSelection()?.isCollapsed === false) return '';
    return textOf(selectedLines(this.list));
  }
}

function isTime(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('.line-when') !== null;
}

/** The selected lines, the oldest first. */
export function* selectedLines({ selection, store }: LineList) {
  for (const index of selection.indexes()) yield store.lineAt(index);
}
