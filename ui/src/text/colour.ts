// Colours of the log, moved until they can be read on the page (WCAG 2.2, 1.4.3).

export type Rgb = readonly [number, number, number];

const CONTRAST_MIN = 4.5;
/** Colours remembered with their readable form. */
const COLOURS_MAX = 2048;

export const WHITE: Rgb = [255, 255, 255];
export const BLACK: Rgb = [0, 0, 0];

export function hex(colour: Rgb): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
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

/** Black or white, whichever is read better. */
export function farthest(background: Rgb): Rgb {
  return contrast(BLACK, background) < contrast(WHITE, background) ? WHITE : BLACK;
}

const known = new Map<string, Rgb>();

/** The colour, moved towards white or black as little as makes it readable on the background. */
export function readable(colour: Rgb, background: Rgb): Rgb {
  if (CONTRAST_MIN <= contrast(colour, background)) return colour;
  const key = `${colour}/${background}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const target = farthest(background);
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
