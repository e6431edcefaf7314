// The page's sign in the tab: it turns into the square of errors while the tab is hidden, lines are followed and errors came.
import type { LineStore } from '../list/store';

const ERROR_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%23ae0210'/%3E%3Crect x='10' y='10' width='12' height='12' rx='1' fill='%23fff'/%3E%3C/svg%3E";

/** Lines of a change that are looked at: a flood says the same with its last ones. */
const LOOKED_AT_MAX = 1_000;

let usual = '';

function show(hasErrors: boolean): void {
  const link = document.querySelector<HTMLLinkElement>('#favicon');
  if (link === null) return;
  if (usual === '') usual = link.href;
  const wanted = hasErrors ? ERROR_ICON : usual;
  if (link.href !== wanted) link.href = wanted;
}

/** Watches the lines that come into a live store until what it gives back is called. */
export function watchErrorsOf(store: LineStore): () => void {
  const onVisible = () => {
    if (!document.hidden) show(false);
  };
  document.addEventListener('visibilitychange', onVisible);
  const stop = store.subscribe(({ at, inserted }) => {
    if (!document.hidden) return;
    for (let index = at + inserted - 1; index >= Math.max(at, at + inserted - LOOKED_AT_MAX); index -= 1) {
      const { level } = store.lineAt(index);
      if (level === 'error' || level === 'critical' || level === 'fatal') {
        show(true);
        return;
      }
    }
  });
  return () => {
    stop();
    document.removeEventListener('visibilitychange', onVisible);
    show(false);
  };
}
