// Measures the colours of tokens.css: contrast by WCAG 2, distance of the levels' bars in OKLab for normal sight and three kinds of colour blindness.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const css = readFileSync(new URL('../../src/style/tokens.css', import.meta.url), 'utf8');

type Tokens = ReadonlyMap<string, string>;

/** The custom properties of the first rule whose selector is exactly this. */
function tokensOf(selector: string): Tokens {
  const from = css.indexOf(`\n${selector} {\n`);
  expect(from, selector).toBeGreaterThanOrEqual(0);
  const body = css.slice(from, css.indexOf('\n}', from));
  return new Map([...body.matchAll(/--([\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name!, value!]));
}

const light = tokensOf(':root');
const THEMES: readonly (readonly [string, Tokens])[] = [['light', light], ['dark', new Map([...light, ...tokensOf(":root[data-theme='dark']")])]];

type Rgb = readonly [number, number, number];

function linear(hex: string): Rgb {
  expect(hex).toMatch(/^#[0-9a-f]{6}$/);
  return [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
}

function contrast(a: string, b: string): number {
  const [x, y] = [a, b].map((hex) => {
    const [red, green, blue] = linear(hex);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }) as [number, number];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'unknown'];
const ANSI = Array.from({ length: 8 }, (_, index) => `ansi-${index}`);
const TEXTS = ['text', 'muted', 'accent', 'danger', 'notice', 'good', ...LEVELS.map((level) => `level-${level}`), ...ANSI];
const SHAPES = ['border', ...LEVELS.map((level) => `bar-${level}`), ...Array.from({ length: 8 }, (_, index) => `hue-${index}`)];
const PAIRS: readonly (readonly [string, string, number])[] = [
  ...['bg', 'surface'].flatMap((behind) => TEXTS.map((name) => [name, behind, 4.5] as const)),
  ...SHAPES.map((name) => [name, 'bg', 3] as const),
  ['text', 'raise', 4.5], ['muted', 'raise', 4.5], ['text', 'selected', 4.5], ['muted', 'selected', 4.5], ['text', 'hit', 4.5], ['text', 'searched', 4.5], ['on-hit-now', 'hit-now', 4.5],
  ['on-accent', 'accent', 4.5], ['bg', 'text', 4.5],
];

test.each(THEMES)('text reaches 4.5 : 1 and shapes 3 : 1 in the %s theme', (_, tokens) => {
  const low = PAIRS.map(([front, behind, least]) => ({ front, behind, least, is: contrast(tokens.get(front)!, tokens.get(behind)!) })).filter(({ is, least }) => is < least);
  expect(low).toEqual([]);
});

// Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency", severity 1.0; on linear RGB.
const SIGHTS: Record<string, readonly Rgb[]> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

const clamp = (value: number) => Math.min(1, Math.max(0, value));

/** OKLab of linear RGB, after Ottosson 2020. */
function oklab([red, green, blue]: Rgb): Rgb {
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s, 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s, 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s];
}

function seen(hex: string, sight: readonly Rgb[]): Rgb {
  const colour = linear(hex);
  return oklab(sight.map((row) => clamp(row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2])) as unknown as Rgb);
}

test.each(THEMES)('bars of levels differ by 0.13 in OKLab for every kind of sight in the %s theme', (_, tokens) => {
  const near: unknown[] = [];
  for (const [name, sight] of Object.entries(SIGHTS)) {
    const colours = LEVELS.map((level) => [level, seen(tokens.get(`bar-${level}`)!, sight)] as const);
    colours.forEach(([a, x], index) => colours.slice(index + 1).forEach(([b, y]) => {
      const distance = Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
      if (distance < 0.13) near.push({ name, a, b, distance });
    }));
  }
  expect(near).toEqual([]);
});

test('the skeleton is painted in the colours of the dark theme', () => {
  const [, body = ''] = /:root:not\(\[data-theme\]\) \{([^}]*)\}/.exec(css) ?? [];
  const early = [...body.matchAll(/--([\w-]+):\s*([^;]+);/g)];
  expect(early.length).toBeGreaterThan(4);
  const dark = tokensOf(":root[data-theme='dark']");
  for (const [, name, value] of early) expect(dark.get(name!), name).toBe(value);
});
