// What is copied of a list: made from the lines, so that rows that are not drawn and lines that are folded away are in it.
import type { LineStore } from './store';
import type { RowElement } from './row';
import { textOf, forClipboard } from '../text/clipboard';

/** One end of a text selection: a row and how many characters of its text are before it. */
interface End {
  readonly row: RowElement;
  readonly offset: number;
}

/** Where a selection of text begins and ends, in the order of the document; `null` where an end is in no row of the list. */
export function endsOf(selection: Selection | null, rowOf: (node: Node) => RowElement | undefined): [End, End] | null {
  if (selection === null || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  const [start, end] = [rowOf(range.startContainer), rowOf(range.endContainer)];
  if (start === undefined || end === undefined) return null;
  return [
    { row: start, offset: offsetIn(start.text, range.startContainer, range.startOffset) },
    { row: end, offset: offsetIn(end.text, range.endContainer, range.endOffset) },
  ];
}

/** Characters of `element` before a place in the document. */
function offsetIn(element: HTMLElement, node: Node, offset: number): number {
  const range = document.createRange();
  range.selectNodeContents(element);
  if (range.comparePoint(node, offset) < 0) return 0;
  if (range.comparePoint(node, offset) > 0) return element.textContent.length;
  range.setEnd(node, offset);
  return range.toString().length;
}

/** The text between two ends: lines in full but for the first and the last, of which what is selected of what is drawn. */
export function textBetween([start, end]: [End, End], store: LineStore): string {
  if (start.row === end.row) return forClipboard((start.row.display?.plain ?? '').slice(start.offset, end.offset));
  const [first, last] = [start.row, end.row];
  const isAscending = first.index <= last.index;
  const parts = [start.offset === 0 ? forClipboard(store.textAt(first.index)) : (first.display?.plain ?? '').slice(start.offset)];
  const inner: string = textOf(lines(store, first.index, last.index, isAscending));
  if (Math.abs(last.index - first.index) > 1) parts.push(inner);
  const drawn = last.display?.plain ?? '';
  parts.push(end.offset >= drawn.length ? forClipboard(store.textAt(last.index)) : drawn.slice(0, end.offset));
  return parts.join('\n');
}

/** Lines between two, both exclusive. */
function* lines(store: LineStore, first: number, last: number, isAscending: boolean) {
  const step = isAscending ? 1 : -1;
  for (let index = first + step; index !== last; index += step) yield store.lineAt(index);
}
