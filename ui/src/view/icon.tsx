// One of the symbols of index.html: 16 px, strokes of the text's colour. An icon alone needs a name on the button around it.
import type { LevelGroup } from '../model';

export type IconName = 'logo' | 'search' | 'close' | 'down' | 'right' | 'left' | 'gear' | 'help' | 'pause' | 'play' | 'include' | 'exclude' | 'column'
  | 'copy' | 'share' | 'download' | 'link' | 'open' | 'filter' | 'sidebar' | 'bars' | 'more' | 'check' | 'warning' | 'clock' | 'end';

export function Icon({ name, class: extra = '' }: { name: IconName; class?: string }) {
  return <svg class={`icon ${extra}`} viewBox="0 0 16 16" aria-hidden="true"><use href={`#${name}`} /></svg>;
}

/** The shape of a level. Its name stands beside it or is read instead. */
export function Mark({ level, isNamed = false }: { level: LevelGroup; isNamed?: boolean }) {
  return <span class={`mark mark-${level}`} {...(isNamed ? { role: 'img', 'aria-label': level } : { 'aria-hidden': true })} />;
}
