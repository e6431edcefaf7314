// One callback per animation frame for the list and its data, so that lines are drawn in the frame in which they were taken in.

/** In the order in which they run within a frame. */
const PHASES = ['data', 'draw'] as const;
type Phase = (typeof PHASES)[number];

/** A hidden page has no frames; its data is taken in this often. */
const HIDDEN_PAUSE_MS = 250;

const asked: Record<Phase, Set<() => void>> = { data: new Set(), draw: new Set() };
let isAsked = false;
let isRunning = false;

/** Calls `fn` in the next frame, or still in this one where its phase is to come; once, however often it is asked for. */
export function onFrame(phase: Phase, fn: () => void): void {
  asked[phase].add(fn);
  if (!isRunning) ask();
}

export function cancelFrame(fn: () => void): void {
  for (const phase of PHASES) asked[phase].delete(fn);
}

function ask(): void {
  if (isAsked) return;
  isAsked = true;
  if (document.hidden) setTimeout(run, HIDDEN_PAUSE_MS);
  else requestAnimationFrame(run);
}

function run(): void {
  isAsked = false;
  isRunning = true;
  for (const phase of PHASES) {
    const due = [...asked[phase]];
    asked[phase].clear();
    for (const fn of due) {
      try {
        fn();
      } catch (error) {
        // One part that fails leaves the others alive.
        reportError(error);
      }
    }
  }
  isRunning = false;
  if (PHASES.some((phase) => asked[phase].size > 0)) ask();
}

if (typeof document !== 'undefined') {
  // The frame that was asked for comes only when the page is seen again.
  document.addEventListener('visibilitychange', () => {
    if (isAsked && document.hidden) setTimeout(run, HIDDEN_PAUSE_MS);
  });
}
