// Links within the page change the address instead of loading the page again; a middle click or a held key still opens a tab.
import { parseAddress, go } from './route';

/** Listens for clicks on links until the page ends. */
export function followLinks(): void {
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
    const base = new URL('.', location.href).pathname;
    const rest = link.pathname.startsWith(base) ? link.pathname.slice(base.length) : null;
    if (rest !== '' && rest !== 'logs' && rest !== 'status') return;
    event.preventDefault();
    go(parseAddress(new URL(link.href)), 'push');
  });
}
