// The two live regions, which stand in index.html so that they are there before anything is said. The polite one gets at most one sentence each five
// seconds, the newest; an urgent one is said at once.
const PAUSE_MS = 5_000;

let pending = '';
let timer: ReturnType<typeof setTimeout> | undefined;
let lastAt = -PAUSE_MS;

function say(region: 'polite' | 'urgent', text: string): void {
  const element = document.getElementById(region);
  if (element === null) return;
  // The same sentence twice is a change only if the text differs.
  element.textContent = element.textContent === text ? `${text}\u00a0` : text;
}

/** Has a sentence read by a screen reader. */
export function announce(text: string, isUrgent = false): void {
  if (isUrgent) {
    say('urgent', text);
    return;
  }
  pending = text;
  if (timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    lastAt = performance.now();
    say('polite', pending);
  }, Math.max(0, lastAt + PAUSE_MS - performance.now()));
}
