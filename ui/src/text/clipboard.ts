// Copies text, over plain HTTP too, where browsers offer no clipboard. What is copied is made from the data, not from what is drawn.
import type { Line } from '../model';
import { formatRfc3339 } from '../time/format';
import { stripAnsi } from './ansi';

/** What acts in a terminal when it is pasted there: control characters but tab and newline. */
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text without escape sequences and without control characters. */
export function forClipboard(text: string): string {
  return stripAnsi(text).replace(CONTROLS, '');
}

/** Copies the text as it is, which may hold control characters; `false` if the browser does not let us. */
export async function copyRaw(text: string): Promise<boolean> {
  if (window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by a policy, or the page has lost the focus: the old way may still do.
    }
  }
  return copyByCommand(text);
}

/** Copies the text without what acts in a terminal; `false` if the browser does not let us. */
export function copyText(text: string): Promise<boolean> {
  return copyRaw(forClipboard(text));
}

/** The deprecated way, which all browsers have and which needs neither TLS nor a permission, only a click or a key before. */
function copyByCommand(text: string): boolean {
  const focused = document.activeElement;
  const box = document.createElement('textarea');
  box.value = text;
  box.readOnly = true;
  box.className = 't-clipboard';
  box.setAttribute('aria-hidden', 'true');
  // Inside of an open dialog, since everything outside of it cannot take the focus.
  (document.querySelector('dialog[open]') ?? document.body).append(box);
  box.select();
  let isCopied = false;
  try {
    isCopied = document.execCommand('copy');
  } catch {
    isCopied = false;
  }
  box.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isCopied;
}

export interface TextOptions {
  /** Puts the time in front of each line, in this zone. */
  readonly zone?: string | undefined;
  /** Puts the stream in front, behind the time. */
  readonly hasStreams?: boolean;
  /** Leaves everything in, what acts in terminals too. */
  readonly isRaw?: boolean;
}

/** The lines as text, each with a line break behind it but the last. Each is cleaned for itself: none can swallow the next. */
export function textOf(lines: Iterable<Line>, { zone, hasStreams = false, isRaw = false }: TextOptions = {}): string {
  const out: string[] = [];
  for (const line of lines) {
    const time = zone === undefined ? '' : `${formatRfc3339(line.time, zone)} `;
    const stream = hasStreams ? `${line.stream.service}: ` : '';
    out.push(time + stream + (isRaw ? line.text : forClipboard(line.text)));
  }
  return out.join('\n');
}

/** The lines as JSON Lines: time, labels, text, and metadata. */
export function objectsOf(lines: Iterable<Line>, zone: string | undefined): string {
  const out: string[] = [];
  for (const { time, stream, text, metadata } of lines) {
    // `fromEntries` defines properties: a label called `__proto__` is one, too.
    const object = { ...(zone === undefined ? {} : { time: formatRfc3339(time, zone) }), labels: Object.fromEntries(stream.labels), line: text };
    out.push(JSON.stringify(metadata === undefined ? object : { ...object, metadata: Object.fromEntries(metadata) }));
  }
  return out.join('\n');
}
