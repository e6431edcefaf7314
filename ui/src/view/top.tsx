// The bar at the top of every place: where one is, the search over everything, time, preferences, help. What a place adds stands in `topSlot`.
import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { streams } from '../api/streams';
import { keyCaps, registerKeys } from '../keys';
import { build } from '../logql/build';
import { withText } from '../logql/clicks';
import { ALL } from '../logql/simple';
import { go, hrefOf } from '../route';
import { address, DEFAULT_ADDRESS, type Place } from '../state';
import { Icon } from './icon';
import { isHelpOpen } from './open';
import { PreferencesButton } from './preferences';
import { conclusion } from './verdict';
import { TimeBox } from './time';

/** What the place in view puts into the middle of the bar, such as the crumb and the Live button of the log view. */
export const topSlot = signal<ComponentChildren>(null);

const PLACES: readonly (readonly [Place, string])[] = [['overview', 'Overview'], ['logs', 'Logs'], ['status', 'Status']];

/** The address of a place with nothing but the range kept. */
function bare(place: Place) {
  const { from, to } = address.value;
  return hrefOf({ ...DEFAULT_ADDRESS, place, from, to });
}

/** The node whose logs these are, where the streams say it. */
const node = computed(() => streams.value?.streams.find(({ labels }) => labels.has('node'))?.labels.get('node') ?? '');

export function Top() {
  const { place } = address.value;
  return <header class="top">
    <a class="brand" href={bare('overview')} aria-label="monitoring-rs, overview"><Icon name="logo" /><span>monitoring-rs</span></a>
    <nav class="places" aria-label="Places">
      {PLACES.map(([name, label]) => <a key={name} href={bare(name)} aria-current={name === place ? 'page' : undefined}>
        {label}{name === 'status' && <Dot />}
      </a>)}
    </nav>
    {node.value !== '' && <span class="top-node muted clip" title="One agent is one node: it has the logs of this node only">node {node.value}</span>}
    <div class="top-middle">{place === 'overview' ? <SearchBox /> : topSlot}</div>
    <div class="top-end">
      {place !== 'status' && <TimeBox />}
      <PreferencesButton />
      <button type="button" class="button bare" aria-label="Help" title="Keys and help (?)" onClick={() => (isHelpOpen.value = true)}><Icon name="help" /></button>
    </div>
  </header>;
}

/** How the agent is, beside the word Status: a shape as well as a colour. */
function Dot() {
  const { kind, words } = conclusion.value;
  return <span class={`dot dot-${kind}`} role="img" aria-label={words} title={words} />;
}

/** Searches all logs: plain text, Enter. */
function SearchBox() {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => registerKeys('Everywhere', [
    { keys: ['q', 'Mod+k'], does: 'search', run: () => input.current?.select() ?? input.current?.focus() },
  ]), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const text = input.current!.value.trim();
    const q = text === '' ? '' : build(withText(ALL, text, { isCase: false, isRegexp: false, isWithout: false }));
    go({ ...DEFAULT_ADDRESS, place: 'logs', q, from: address.value.from, to: address.value.to }, 'push');
  };
  return <form class="search" role="search" onSubmit={submit}>
    <Icon name="search" />
    <input ref={input} class="box" type="search" placeholder="Search all logs…" aria-label="Search all logs" autocomplete="off" spellcheck={false} />
    <span class="search-keys" aria-hidden="true">{keyCaps('Mod+k').map((cap) => <kbd key={cap}>{cap}</kbd>)}</span>
  </form>;
}
