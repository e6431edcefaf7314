// What belongs together in view: entries of several lines, lines that go on from the one before, and lines that repeat.

/** Further lines of an entry that are looked at for the most telling one. */
const LINES_MAX = 500;

/** Frames of what is not the program itself, in the traces of common languages. */
const LIBRARY = new RegExp(
  '^(at )?((java|javax|jakarta|jdk|sun|com\\.sun|kotlin|kotlinx|scala|groovy|akka|reactor|org\\.(springframework|apache|hibernate|eclipse|jboss)|io\\.(netty|' +
  'undertow|vertx|reactivex)|System|Microsoft|runtime|testing|net/http|google\\.golang\\.org|core|std|alloc|tokio)(\\.|::|/))|' +
  'node:|internal/|node_modules|site-packages|dist-packages|/usr/(local/)?lib/|<frozen |\\(native|go/pkg/mod|/rustc/|\\.cargo/registry',
);
/** A frame: a call or a place in a source. */
const FRAME = /^at |^File "|^\d+: |\(.*\)$|\.\w+:\d+\b/;
const CONTINUES = /^(\s+\S|at |Caused by|\.\.\.|Traceback \(|Suppressed: )/;
/** What of a trace names the sort of fault but not its cause. */
const HEADER = /^(Traceback \(|goroutine \d|stack backtrace|Stack trace|stack:|Call Stack|\[stacktrace\])/i;

/** Whether a line goes on from the one before, where the agent does not join them. */
export function isContinuation(text: string): boolean {
  return CONTINUES.test(text);
}

/** The index of the line that tells most of those behind the first: the last cause, the first frame of the program itself, or just the next one. */
export function telling(lines: readonly string[]): number {
  const end = Math.min(lines.length, LINES_MAX);
  let frame = 0;
  let next = 0;
  let isPython = false;
  for (let index = end - 1; 0 < index; index -= 1) {
    const text = lines[index]!.trim();
    if (text.startsWith('Caused by')) return index;
    if (text.startsWith('Traceback (')) isPython = true;
    if (text === '' || HEADER.test(text)) continue;
    next = index;
    if (FRAME.test(text) && !isLibrary(text)) frame = index;
  }
  if (isPython || lines[0]?.startsWith('Traceback (') === true) {
    // Python writes the fault itself last, at the margin.
    for (let index = end - 1; 0 < index; index -= 1) if (/^\S/.test(lines[index]!) && !HEADER.test(lines[index]!)) return index;
  }
  return frame || next || 1;
}

function isLibrary(frame: string): boolean {
  return LIBRARY.test(frame) || /[/\\](node_modules|site-packages|dist-packages)[/\\]|\(node:|\(internal\/|go\/pkg\/mod|\/usr\/(local\/)?(go|lib)\//.test(frame);
}

const isDigit = (code: number) => 48 <= code && code <= 57;

/** Whether two lines are the same but for the digits of their numbers. */
export function sameButNumbers(a: string, b: string): boolean {
  let [at, other] = [0, 0];
  while (at < a.length && other < b.length) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(other)];
    if (isDigit(left) && isDigit(right)) {
      while (isDigit(a.charCodeAt(at))) at += 1;
      while (isDigit(b.charCodeAt(other))) other += 1;
    } else if (left === right) {
      at += 1;
      other += 1;
    } else {
      return false;
    }
  }
  return at === a.length && other === b.length;
}
