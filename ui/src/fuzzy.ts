// Finding names by a few of their letters.

/** How well the letters of `wanted` are found in order in `text`: higher is better, -1 if they are not. */
export function fuzzy(text: string, wanted: string): number {
  const [whole, letters] = [text.toLowerCase(), wanted.toLowerCase().replace(/\s+/g, '')];
  if (letters === '') return 0;
  const at = whole.indexOf(letters);
  if (at >= 0) return 1_000 - at - whole.length / 100 + (at === 0 || /[^a-z0-9]/.test(whole[at - 1]!) ? 500 : 0);
  let [score, from] = [0, 0];
  for (const letter of letters) {
    const found = whole.indexOf(letter, from);
    if (found < 0) return -1;
    score += found === from ? 5 : /[^a-z0-9]/.test(whole[found - 1] ?? ' ') ? 3 : 0;
    from = found + 1;
  }
  return score - whole.length / 100;
}
