// The place in a regular expression that the server's words are about. The messages are those of `src/logql/regexp.rs` and of Rust's regex-syntax.

/** Half-open, in UTF-16 units; all of it where the words name no place. */
export function faultOf(pattern: string, message: string): readonly [number, number] {
  // Of several quoted pieces the last is the whole expression.
  const quoted = [...message.matchAll(/`([^`]+)`/g)].map(([, piece]) => piece!);
  const piece = quoted.length > 1 ? pattern.lastIndexOf(quoted[0]!) : -1;
  if (piece >= 0) return [piece, piece + quoted[0]!.length];
  const { group, closing, bracket } = borders(pattern);
  const range = (at: number | undefined, length = 1): readonly [number, number] => (at === undefined || at < 0 ? [0, pattern.length] : [at, at + length]);
  if (/backslash|incomplete escape/.test(message)) return range(pattern.length - 1);
  if (/closing \]|unclosed character class/.test(message)) return range(bracket);
  if (/unopened group/.test(message)) return range(closing);
  if (/unclosed (?:counted )?repetition/.test(message)) return range(pattern.lastIndexOf('{'));
  if (/group/.test(message)) return range(group);
  if (/range/.test(message)) {
    const found = [...pattern.matchAll(/\{(\d+),(\d+)\}/g)].find(([, least, most]) => Number(least) > Number(most));
    return range(found?.index, found?.[0].length);
  }
  if (/missing expression/.test(message)) {
    const found = /(?:^|[(|])([*+?])/.exec(pattern);
    return range(found === null ? undefined : found.index + found[0].length - 1);
  }
  return [0, pattern.length];
}

/** The innermost parenthesis that is open at the end, the first that closes nothing, and a bracket that is open at the end. */
function borders(pattern: string): { group: number | undefined; closing: number | undefined; bracket: number | undefined } {
  const open: number[] = [];
  let closing: number | undefined;
  let bracket: number | undefined;
  for (let at = 0; at < pattern.length; at += 1) {
    const c = pattern[at];
    if (c === '\\') at += 1;
    else if (bracket !== undefined) bracket = c === ']' && !/^\[\^?$/.test(pattern.slice(bracket, at)) ? undefined : bracket;
    else if (c === '[') bracket = at;
    else if (c === '(') open.push(at);
    else if (c === ')' && open.pop() === undefined) closing ??= at;
  }
  return { group: open.at(-1), closing, bracket };
}
