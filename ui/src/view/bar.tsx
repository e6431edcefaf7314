// The query bar: plain text first, chips for each condition, LogQL for those who want it.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { registerKeys } from '../keys';
import { build } from '../logql/build';
import { chips } from '../logql/clicks';
import { ALL, parseSimple } from '../logql/simple';
import { address, type Tab } from '../state';
import { go } from '../route';
import { ask, isMetricQuery, isPhone, tab } from './asked';
import { Chips, FilterButton } from './chips';
import { chipQuery, clear, commit, draftError, draftOptions, draftText, takeBack, turn, type as typeText } from './draft';
import { Icon } from './icon';
import { Later } from './later';
import { Tokens } from './tokens';
import type { ComponentChildren } from 'preact';

export const isEditing = signal(false);

interface Props {
  /** Menus to share and to save, at the end. */
  readonly children: ComponentChildren;
}

export function QueryBar({ children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const query = parseSimple(chipQuery.value);
  const count = query === null ? 1 : chips(query).length;
  return <section class={`qbar${isOpen ? ' is-open' : ''}`} aria-label="Query">
    <SearchBox />
    {isPhone.value && <button type="button" class="button quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
      {count === 0 ? 'Filters' : `${count} ${count === 1 ? 'filter' : 'filters'}`}<Icon name="down" class="arrow" />
    </button>}
    <div class="qbar-tools">
      <FilterButton />
      <button type="button" class="button quiet" aria-pressed={isEditing.value} title="Edit as LogQL" onClick={() => (isEditing.value = !isEditing.value)}>LogQL</button>
    </div>
    <Tabs />
    <div class="qbar-end">{children}</div>
    {isEditing.value ? <Later>{({ Editor }) => <Editor onClose={() => (isEditing.value = false)} />}</Later> : count > 0 && <div class="qbar-chips">
      <Chips onEditLogql={() => (isEditing.value = true)} />
      <LogqlLine />
    </div>}
  </section>;
}

/** The query as LogQL in one line; a click edits it. */
function LogqlLine() {
  const { q } = address.value;
  return <div class="logql">
    <button type="button" class="logql-text clip" title={q} onClick={() => (isEditing.value = true)}><Tokens text={q.replace(/\s+/g, ' ')} /></button>
    <button type="button" class="button small" title="All logs" onClick={() => ask('')}>Clear</button>
  </div>;
}

export const TABS: readonly (readonly [Tab, string])[] = [['lines', 'Lines'], ['patterns', 'Patterns'], ['chart', 'Chart']];

export function chooseTab(name: Tab): void {
  go({ tab: name === (isMetricQuery.peek() ? 'chart' : 'lines') ? null : name });
}

function Tabs() {
  const now = tab.value;
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')];
    const next = all[(TABS.findIndex(([name]) => name === now) + step + all.length) % all.length];
    next?.focus();
    next?.click();
  };
  return <div class="tabs" role="tablist" aria-label="Show" onKeyDown={onKey}>
    {TABS.map(([name, label]) => <button type="button" role="tab" key={name} aria-selected={name === now} tabIndex={name === now ? 0 : -1} onClick={() => chooseTab(name)}>{label}</button>)}
  </div>;
}

function SearchBox() {
  const input = useRef<HTMLInputElement>(null);
  const [pasted, setPasted] = useState('');
  const text = draftText.value;
  const options = draftOptions.value;
  const error = draftError.value;
  useEffect(() => registerKeys('Everywhere', [
    { keys: ['q', 'Mod+k'], does: 'search', run: () => input.current?.select() ?? input.current?.focus() },
  ]), []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      if (text.trim().startsWith('{') && pasted !== '') useAsLogql();
      else void commit(event.altKey ? { isWithout: true } : {});
    } else if (event.key === 'Backspace' && text === '') {
      const query = parseSimple(chipQuery.peek());
      const last = query === null ? undefined : chips(query).at(-1);
      if (last === undefined) return;
      event.preventDefault();
      if (!takeBack(last)) document.querySelector<HTMLElement>('.chips .chip:last-of-type .chip-text')?.focus();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      if (text === '') input.current!.blur();
      else clear();
    } else if (event.key === 'ArrowDown' && text === '') {
      event.preventDefault();
      document.querySelector<HTMLElement>('[role=grid] [tabindex="0"], [role=grid]')?.focus();
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    const clip = event.clipboardData?.getData('text') ?? '';
    setPasted(clip.trim().startsWith('{') ? clip.trim() : '');
    if (!/[\r\n]/.test(clip)) return;
    // A box of one line takes the first that says something.
    event.preventDefault();
    const first = clip.split(/\r?\n/).find((line) => line.trim() !== '') ?? '';
    const box = input.current!;
    box.setRangeText(first, box.selectionStart ?? 0, box.selectionEnd ?? 0, 'end');
    typeText(box.value);
  };
  const useAsLogql = () => {
    const logql = pasted;
    setPasted('');
    clear();
    ask(logql);
  };
  const toggle = (name: 'isCase' | 'isRegexp' | 'isWithout', sign: string, label: string) => <button type="button" class="qbar-option" aria-pressed={options[name]}
    aria-label={label} title={label} onClick={() => turn({ [name]: !options[name] })}>{sign}</button>;
  const isAll = chipQuery.value === '' || chipQuery.value === build(ALL);

  return <div class={`qbar-search${error === null ? '' : ' is-wrong'}`} role="search">
    <Icon name="search" class="qbar-icon" />
    <input ref={input} class="box" type="search" value={text} placeholder={isAll ? 'Search all logs' : 'Search within'} aria-label="Search" enterkeyhint="search"
      aria-invalid={error !== null} aria-describedby={error === null ? undefined : 'draft-error'} autocomplete="off" autocapitalize="off" spellcheck={false}
      onInput={(event) => typeText(event.currentTarget.value)} onKeyDown={onKeyDown} onPaste={onPaste} />
    <div class="qbar-options" role="group" aria-label="How the text is meant">
      {toggle('isCase', 'Aa', 'Upper and lower case differ')}
      {toggle('isRegexp', '.*', 'Regular expression')}
      {toggle('isWithout', '≠', 'Lines without it (Alt+Enter)')}
    </div>
    {error !== null && <>
      <Later>{({ Fault }) => <Fault input={input.current!} text={text} message={error.message} />}</Later>
      <p id="draft-error" class="qbar-below danger" role="alert">{error.message}</p>
    </>}
    {pasted !== '' && error === null && <p class="qbar-below"><button type="button" class="button primary small" onClick={useAsLogql}>Use as LogQL</button>
      <span class="muted">This begins like a query.</span></p>}
  </div>;
}
