// LogQL in colours, and the place in it that an error is about.
import type { ComponentChildren } from 'preact';
import { lex } from '../logql/lexer';
import type { ServerError } from '../model';

interface TokensProps {
  readonly text: string;
  /** Position that is marked as wrong, in UTF-16 units. */
  readonly wrong?: number;
}

/** LogQL in colours. */
export function Tokens({ text, wrong = -1 }: TokensProps) {
  const parts: ComponentChildren[] = [];
  let done = 0;
  let isMarked = false;
  for (const { kind, start, end } of lex(text)) {
    if (start > done) parts.push(text.slice(done, start));
    const isWrong = wrong >= start && wrong < end;
    isMarked ||= isWrong;
    parts.push(<span class={`q-${kind}${isWrong ? ' q-wrong' : ''}`}>{text.slice(start, end)}</span>);
    done = end;
  }
  parts.push(text.slice(done));
  if (wrong >= 0 && !isMarked) parts.push(<span class="q-wrong">{'\u00a0\u00a0'}</span>);
  return <>{parts}</>;
}

/** The position of a line and column, both counted from 1, in UTF-16 units; columns count characters. */
export function positionOf(text: string, { line, column }: { line: number; column: number }): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  return Math.min(text.length, before + [...(lines[line - 1] ?? '')].slice(0, column - 1).join('').length);
}

/** Where a query is wrong: the place that the server names, or the string with the regexp that it could not read; -1 if neither is known. */
export function wrongAt(text: string, error: ServerError | null): number {
  if (error === null) return -1;
  if (error.at !== undefined) return positionOf(text, error.at);
  const piece = /error parsing regexp[^`]*`([^`]+)`/.exec(error.message)?.[1];
  if (piece === undefined) return -1;
  const tokens = lex(text);
  const found = tokens.find(({ kind, start, end }, i) => kind === 'string' && text.slice(start, end).includes(piece)
    && i > 0 && text.slice(tokens[i - 1]!.start, tokens[i - 1]!.end).endsWith('~'));
  return found?.start ?? -1;
}
