// Reads the escape sequences of terminals (ECMA-48): colours and weights become spans, everything else is taken out. Makes no markup.
import { farthest, hex, readable, type Rgb, WHITE } from './colour';
import type { Span } from './display';

/** Spans of one line; what follows keeps the last look. */
const SPANS_MAX = 500;
/** Steps from one look to the next that are remembered; programs use few. */
const STEPS_MAX = 2048;
/** The page's backgrounds, the token `bg`. */
const BACKGROUND = { dark: [0x11, 0x14, 0x19] as Rgb, light: WHITE };

const ESC = '\x1b';
/** A control sequence: parameters, intermediates, final byte. */
const CSI = /\x1b\[([0-?]*)([ -/]*)([@-~])/y;
/** Two or more bytes that are neither a control sequence nor the begin of a string. */
const SHORT = /\x1b[ -/]*[0-Z\\`-~]/y;
/** Strings for the terminal: device control, start of string, commands, privacy and application messages. */
const STRING = /\x1b[PX\]^_]/y;
const STRING_END = /\x07|\x1b\\/g;

/** Calls `onText` for each text between sequences and `onLook` for the parameters of each SGR. A sequence that does not end is text. */
function scan(text: string, onText: (text: string) => void, onLook: (parameters: string) => void): void {
  let at = 0;
  let areStringsEnded = true;
  for (let start = text.indexOf(ESC); start !== -1; start = text.indexOf(ESC, start)) {
    CSI.lastIndex = SHORT.lastIndex = STRING.lastIndex = start;
    let end = start;
    const control = CSI.exec(text);
    if (control !== null) {
      end = CSI.lastIndex;
    } else if (STRING.test(text)) {
      STRING_END.lastIndex = STRING.lastIndex;
      // Searched to the end of the text once only: text of many begins would take the square of its length.
      if (areStringsEnded) areStringsEnded = STRING_END.test(text);
      if (areStringsEnded) end = STRING_END.lastIndex;
    } else if (SHORT.test(text)) {
      end = SHORT.lastIndex;
    }
    if (end === start) {
      start += 1;
      continue;
    }
    if (at < start) onText(text.slice(at, start));
    if (control?.[3] === 'm' && control[2] === '' && !/[<-?]/.test(control[1] ?? '')) onLook(control[1] ?? '');
    at = start = end;
  }
  if (at < text.length) onText(text.slice(at));
}

/** The text without escape sequences. */
export function stripAnsi(text: string): string {
  if (!text.includes(ESC)) return text;
  let out = '';
  scan(text, (piece) => { out += piece; }, () => {});
  return out;
}

/** The text as spans with its looks, without escape sequences. Neighbours of one look are one span. */
export function readAnsi(text: string, isDark: boolean): Span[] {
  const spans: Span[] = [];
  let look = PLAIN;
  let style: Style = {};
  scan(text, (piece) => {
    const last = spans.at(-1);
    if (spans.length < SPANS_MAX) style = look.style(isDark);
    if (last !== undefined && last.class === style.class && last.colour === style.colour && last.background === style.background) {
      spans[spans.length - 1] = { ...last, text: last.text + piece };
    } else {
      spans.push({ ...style, text: piece });
    }
  }, (parameters) => { look = look.with(parameters); });
  return spans;
}

type Style = Omit<Span, 'text'>;
/** `null`: the default; a number: one of the 16 of the theme. */
type Colour = Rgb | number | null;

/** Styles by the code that sets them, and the codes that end them. */
const STYLES: ReadonlyMap<number, string> = new Map([[1, 't-bold'], [2, 't-dim'], [3, 't-italic'], [4, 't-underline'], [9, 't-strike']]);
const ENDS: ReadonlyMap<number, readonly number[]> = new Map([[22, [1, 2]], [23, [3]], [24, [4]], [29, [9]]]);

const steps = new Map<string, Look>();

/** Select Graphic Rendition: what is set at a place of a line. Does not change once it is there. */
class Look {
  private readonly key: string;
  private dark?: Style;
  private light?: Style;

  constructor(
    private readonly colour: Colour = null,
    private readonly background: Colour = null,
    private readonly isInverse = false,
    private readonly styles: readonly number[] = [],
  ) {
    this.key = `${String(colour)}/${String(background)}/${isInverse}/${styles}/`;
  }

  /** The look behind a sequence with these parameters. */
  with(parameters: string): Look {
    const key = this.key + parameters;
    let next = steps.get(key);
    if (next === undefined) {
      next = this.after(codesOf(parameters));
      if (STEPS_MAX <= steps.size) steps.clear();
      steps.set(key, next);
    }
    return next;
  }

  private after(codes: readonly number[]): Look {
    let { colour, background, isInverse } = this;
    const styles = new Set(this.styles);
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 0) {
        colour = background = null;
        isInverse = false;
        styles.clear();
      } else if (STYLES.has(code)) styles.add(code);
      else if (ENDS.has(code)) for (const style of ENDS.get(code) ?? []) styles.delete(style);
      else if (code === 7 || code === 27) isInverse = code === 7;
      else if (30 <= code && code <= 37) colour = code - 30;
      else if (90 <= code && code <= 97) colour = code - 82;
      else if (code === 39) colour = null;
      else if (40 <= code && code <= 47) background = code - 40;
      else if (100 <= code && code <= 107) background = code - 92;
      else if (code === 49) background = null;
      else if (code === 38 || code === 48) {
        const [found, taken] = extended(codes, index + 1);
        index += taken;
        if (code === 38) colour = found ?? colour;
        else background = found ?? background;
      }
    }
    return new Look(colour, background, isInverse, [...styles].sort());
  }

  style(isDark: boolean): Style {
    return isDark ? (this.dark ??= this.makeStyle(BACKGROUND.dark)) : (this.light ??= this.makeStyle(BACKGROUND.light));
  }

  private makeStyle(page: Rgb): Style {
    const classes = this.styles.map((code) => STYLES.get(code));
    let [front, back] = [this.colour, this.background];
    const isSwapped = this.isInverse && (front !== null || back !== null);
    if (isSwapped) [front, back] = [back, front];
    // Terminals are black behind; where a program says so, too, it means the page's background.
    else if (back === 0) back = null;
    let colour: Rgb | undefined;
    if (this.isInverse && !isSwapped) classes.push('t-inverse');
    else if (typeof back === 'number') classes.push(`t-bg${back}`);
    else if (back !== null) colour = typeof front === 'number' || front === null ? farthest(back) : readable(front, back);
    else if (typeof front === 'number') classes.push(`t-fg${front}`);
    else if (front !== null) colour = readable(front, page);
    return {
      ...(classes.length === 0 ? {} : { class: classes.join(' ') }),
      ...(colour === undefined ? {} : { colour: hex(colour) }),
      ...(back === null || typeof back === 'number' ? {} : { background: hex(back) }),
    };
  }
}

const PLAIN = new Look();

/** The numbers of a sequence. Those of colours come with semicolons (xterm) or colons (ISO 8613-6), there with a colour space before the colour. */
function codesOf(parameters: string): number[] {
  return parameters.split(';').flatMap((part) => {
    const numbers = part.split(':');
    if (numbers.length === 1) return Number(part);
    // Kinds of underline; 0 is none.
    if (numbers[0] === '4') return numbers[1] === '0' ? 24 : 4;
    if (numbers[1] === '2' && 5 < numbers.length) numbers.splice(2, 1);
    return numbers.map(Number);
  });
}

/** A colour of the 256 or of 24 bits, if it is whole, and how many codes it takes. */
function extended(codes: readonly number[], at: number): [Colour | undefined, number] {
  const byte = (index: number) => Math.min(255, Math.max(0, codes[index] ?? 0));
  if (codes[at] === 2 && at + 3 < codes.length) return [[byte(at + 1), byte(at + 2), byte(at + 3)], 4];
  if (codes[at] !== 5 || codes.length <= at + 1) return [undefined, codes.length];
  const index = byte(at + 1);
  if (index < 16) return [index, 2];
  if (232 <= index) {
    const grey = 8 + 10 * (index - 232);
    return [[grey, grey, grey], 2];
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + 40 * step);
  return [[level(Math.trunc((index - 16) / 36)), level(Math.trunc((index - 16) / 6) % 6), level((index - 16) % 6)], 2];
}
