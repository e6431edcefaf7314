// A line's text in the detail: whole, with its own colours and line breaks, its links as links; a huge one a piece at a time.
import { type ComponentChildren, Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { readAnsi } from '../text/ansi';
import { visible, visibleRaw } from '../text/controls';
import type { Span } from '../text/display';
import type { Piece } from '../text/json';
import { findLinks } from '../text/links';
import { formatBytes } from '../time/format';

/** Characters shown at first, and added by each press. */
const PIECE_CHARS = 64 * 1024;

/** Text up to a length, and a button for the next piece of it. */
function Revealed({ length, label, children }: { length: number; label: string; children: (shown: number) => ComponentChildren }) {
  const [shown, setShown] = useState(PIECE_CHARS);
  return <>
    <pre class="detail-text" tabIndex={0} aria-label={label}>{children(shown)}</pre>
    {shown < length && <button type="button" class="button bordered small" onClick={() => setShown(shown + PIECE_CHARS)}>
      Show {formatBytes(Math.min(PIECE_CHARS, length - shown))} more of {formatBytes(length)}
    </button>}
  </>;
}

function Links({ text }: { text: string }) {
  const links = findLinks(text);
  if (links.length === 0) return <>{text}</>;
  let at = 0;
  return <>
    {links.map(({ start, end }) => {
      const before = text.slice(at, start);
      at = end;
      const url = text.slice(start, end);
      return <Fragment key={start}>{before}<a href={url} target="_blank" rel="noopener noreferrer">{url}</a></Fragment>;
    })}
    {text.slice(at)}
  </>;
}

function Spans({ spans }: { spans: readonly Span[] }) {
  return <>{spans.map(({ text, class: look, colour, background }, index) => {
    const shown = <Links text={visible(text)} />;
    if (look === undefined && colour === undefined && background === undefined) return shown;
    return <span key={index} class={look} style={{ color: colour, backgroundColor: background }}>{shown}</span>;
  })}</>;
}

/** The text as it is meant: colours applied, links to follow. */
export function SmartText({ text, isDark, label = 'Text of the line' }: { text: string; isDark: boolean; label?: string }) {
  return <Revealed length={text.length} label={label}>{(shown) => <Spans spans={readAnsi(text.slice(0, shown), isDark)} />}</Revealed>;
}

/** The text as it is stored: control, direction and invisible characters by their names. */
export function RawText({ text }: { text: string }) {
  return <Revealed length={text.length} label="Raw text of the line">{(shown) => visibleRaw(text.slice(0, shown))}</Revealed>;
}

const JSON_CLASSES: Readonly<Record<Piece['kind'], string | undefined>> = { punct: 't-key', key: undefined, text: 't-fg2', number: 't-fg4', word: 't-fg5' };

/** JSON over several lines. */
export function PrettyText({ pieces }: { pieces: readonly Piece[] }) {
  const length = pieces.reduce((sum, piece) => sum + piece.text.length, 0);
  return <Revealed length={length} label="The line as JSON">{(shown) => {
    let room = shown;
    return pieces.map(({ text, kind }, index) => {
      if (room <= 0) return null;
      const cut = text.slice(0, room);
      room -= cut.length;
      return <span key={index} class={JSON_CLASSES[kind]}>{visible(cut)}</span>;
    });
  }}</Revealed>;
}
