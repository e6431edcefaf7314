// Reads the escape sequences of terminals (ECMA-48): colours and weights become spans, everything else is taken out. Makes no markup.
import type { Span } from './display';

/** Spans of one line; what follows keeps the last look. */
const SPANS_MAX = 500;
/** Colours remembered with their readable form. */
const COLOURS_MAX = 2048;
/** Least contrast of text to its background (WCAG 2.2, 1.4.3). */
const CONTRAST_MIN = 4.5;

type Rgb = readonly [number, number, number];
/** `null`: the default; a number: one of the 16 of the theme. */
type Colour = Rgb | number | null;

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
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
  let look = new Look();
  let hasChanged = true;
  scan(text, (piece) => {
    const last = spans.at(-1);
    const next: Span = hasChanged && spans.length < SPANS_MAX ? look.span(piece, isDark) : { ...last, text: piece };
    hasChanged = false;
    if (last !== undefined && last.class === next.class && last.colour === next.colour && last.background === next.background) {
      spans[spans.length - 1] = { ...last, text: last.text + piece };
    } else {
      spans.push(next);
    }
  }, (parameters) => {
    look = look.with(parameters);
    hasChanged = true;
  });
  return spans;
}

/** Select Graphic Rendition: what is set at a place of the line. */
class Look {
  private colour: Colour = null;
  private background: Colour = null;
  private isInverse = false;
  private readonly styles = new Set<'bold' | 'dim' | 'italic' | 'underline' | 'strike'>();

  with(parameters: string): Look {
    const next = new Look();
    next.colour = this.colour;
    next.background = this.background;
    next.isInverse = this.isInverse;
    for (const style of this.styles) next.styles.add(style);
    // Colours of more than 16 come with semicolons (xterm) or with colons (ISO 8613-6), there with an optional colour space in front.
    const codes = parameters.split(';').flatMap((part) => {
      const numbers = part.split(':');
      if (numbers.length < 2 || numbers[0] === '4') return [Number(numbers[0] === '4' && numbers[1] === '0' ? 24 : numbers[0])];
      if (numbers[1] === '2' && 5 < numbers.length) numbers.splice(2, 1);
      return numbers.map(Number);
    });
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 38 || code === 48) {
        const [colour, taken] = extended(codes, index + 1);
        index += taken;
        if (colour !== undefined) next[code === 38 ? 'colour' : 'background'] = colour;
      } else {
        next.set(code);
      }
    }
    return next;
  }

  private set(code: number): void {
    const style = ({ 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 9: 'strike' } as const)[code];
    if (style !== undefined) this.styles.add(style);
    else if (code === 0) {
      this.colour = this.background = null;
      this.isInverse = false;
      this.styles.clear();
    } else if (code === 7 || code === 27) this.isInverse = code === 7;
    else if (code === 22) {
      this.styles.delete('bold');
      this.styles.delete('dim');
    } else if (code === 23) this.styles.delete('italic');
    else if (code === 24) this.styles.delete('underline');
    else if (code === 29) this.styles.delete('strike');
    else if (30 <= code && code <= 37) this.colour = code - 30;
    else if (90 <= code && code <= 97) this.colour = code - 82;
    else if (code === 39) this.colour = null;
    else if (40 <= code && code <= 47) this.background = code - 40;
    else if (100 <= code && code <= 107) this.background = code - 92;
    else if (code === 49) this.background = null;
  }

  span(text: string, isDark: boolean): Span {
    const classes = [...this.styles].map((style) => `t-${style}`);
    let [front, back] = [this.colour, this.background];
    const isSwapped = this.isInverse && (front !== null || back !== null);
    if (isSwapped) [front, back] = [back, front];
    // Text in the colour of the page on its own black would not be seen in the light theme's: black behind is the page's background.
    if (back === 0 && !isSwapped) back = null;
    let colour: string | undefined;
    let background: string | undefined;
    if (this.isInverse && !isSwapped) {
      classes.push('t-inverse');
    } else if (typeof back === 'number') {
      classes.push(`t-bg${back}`);
    } else if (back !== null) {
      background = hex(back);
      colour = hex(readable(typeof front === 'number' || front === null ? back : front, back));
    } else if (typeof front === 'number') {
      classes.push(`t-fg${front}`);
    } else if (front !== null) {
      colour = hex(readable(front, isDark ? BACKGROUND.dark : BACKGROUND.light));
    }
    const span: { -readonly [K in keyof Span]: Span[K] } = { text };
    if (classes.length !== 0) span.class = classes.join(' ');
    if (colour !== undefined) span.colour = colour;
    if (background !== undefined) span.background = background;
    return span;
  }
}

/** A colour of the 256 or of 24 bits, and how many codes it takes. */
function extended(codes: number[], at: number): [Colour | undefined, number] {
  const byte = (index: number) => Math.min(255, Math.max(0, Math.trunc(codes[index] ?? 0) || 0));
  if (codes[at] === 2) return [[byte(at + 1), byte(at + 2), byte(at + 3)], 4];
  if (codes[at] !== 5) return [undefined, 0];
  const index = byte(at + 1);
  if (index < 16) return [index, 2];
  if (232 <= index) {
    const grey = 8 + 10 * (index - 232);
    return [[grey, grey, grey], 2];
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + 40 * step);
  return [[level(Math.trunc((index - 16) / 36)), level(Math.trunc((index - 16) / 6) % 6), level((index - 16) % 6)], 2];
}

function hex(colour: Rgb): string {
  return `#${colour.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}

/** Relative luminance as WCAG 2 defines it. */
function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast of two colours, from 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const known = new Map<string, Rgb>();

/** The colour, moved towards white or black until it can be read on the background. */
export function readable(colour: Rgb, background: Rgb): Rgb {
  if (CONTRAST_MIN <= contrast(colour, background)) return colour;
  const key = `${colour}/${background}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const target = contrast(BLACK, background) < contrast(WHITE, background) ? WHITE : BLACK;
  const mix = (share: number) => colour.map((part, index) => Math.round(part + (target[index]! - part) * share)) as unknown as Rgb;
  let [low, high] = [0, 1];
  for (let step = 0; step < 8; step += 1) {
    const middle = (low + high) / 2;
    if (contrast(mix(middle), background) < CONTRAST_MIN) low = middle;
    else high = middle;
  }
  if (COLOURS_MAX <= known.size) known.clear();
  known.set(key, mix(high));
  return mix(high);
}
