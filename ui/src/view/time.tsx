// The range of time: a button that says it, and a popover to choose another by a click, by words, by a calendar.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { status } from '../api/status';
import { registerKeys } from '../keys';
import { prefer } from '../preferences';
import { go } from '../route';
import { address, agentZone, preferences } from '../state';
import { parseTime, type TimeError, type ParsedTime } from '../time/parse';
import { absolute, describeRange, PRESETS, type RangeText, resolveRange, shift, zoom } from '../time/range';
import { instantsOf, localParts, zoneLabel, zoneName } from '../time/zone';
import { nowNs } from './actions';
import { zone, zoomTo } from './asked';
import { Icon } from './icon';
import { Popover } from './menu';

const RECENT_KEY = 'monitoring-rs.ranges';
const RECENT_MAX = 5;

export const isTimeOpen = signal(false);

/** Sets the range that was decided on, and remembers it. */
function choose(range: RangeText): void {
  isTimeOpen.value = false;
  remember(range);
  go({ from: range.from, to: range.to, at: '', around: '', live: null });
}

function recent(): RangeText[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? '[]');
    const isRange = (each: unknown): each is RangeText => typeof each === 'object' && each !== null
      && typeof (each as RangeText).from === 'string' && typeof (each as RangeText).to === 'string';
    return Array.isArray(stored) ? stored.filter(isRange).slice(0, RECENT_MAX) : [];
  } catch {
    return [];
  }
}

function remember({ from, to }: RangeText): void {
  if (PRESETS.some((preset) => preset.from === from && preset.to === to)) return;
  const all = [{ from, to }, ...recent().filter((each) => each.from !== from || each.to !== to)];
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify(all.slice(0, RECENT_MAX)));
  } catch {
    // Where nothing may be kept, nothing is remembered.
  }
}

export function TimeBox() {
  const button = useRef<HTMLButtonElement>(null);
  const { from, to } = address.value;
  const range = { from, to };
  useEffect(() => registerKeys('Time', [
    { keys: ['t'], does: 'time range', run: () => void (isTimeOpen.value = true) },
    { keys: ['['], does: 'earlier by half a range', run: () => go({ ...shift(current(), -0.5, nowNs()), at: '', around: '' }) },
    { keys: [']'], does: 'later by half a range', run: () => go({ ...shift(current(), 0.5, nowNs()), at: '', around: '' }) },
    { keys: ['-'], does: 'zoom out', run: () => zoomTo(zoom(current(), 2, nowNs())) },
    { keys: ['='], does: 'zoom in', run: () => zoomTo(zoom(current(), 0.5, nowNs())) },
    { keys: ['0'], does: 'back to the last hour', run: () => go({ from: '1h', to: 'now', at: '', around: '', live: null }) },
  ]), []);
  const words = describeRange(range.from, range.to, zone.value, nowNs());
  return <>
    <button ref={button} type="button" class="button time-button" aria-haspopup="dialog" aria-expanded={isTimeOpen.value} title="Time range (t)"
      onClick={() => (isTimeOpen.value = !isTimeOpen.value)}>
      <Icon name="clock" class="time-icon" /><span class="clip">{words}</span><Icon name="down" class="arrow" />
    </button>
    {isTimeOpen.value && button.current !== null && <Popover anchor={button.current} label="Time range" align="end" class="time"
      onClose={() => (isTimeOpen.value = false)}><TimeForm /></Popover>}
  </>;
}

function current(): RangeText {
  const { from, to } = address.peek();
  return { from, to };
}

const EXAMPLES = ['last 2 hours', 'yesterday 17:30', '10:00..10:30', 'mon 9:00..12:00', 'a pasted log line'];

function TimeForm() {
  const [text, setText] = useState('');
  const { from, to } = address.value;
  const name = zone.value;
  const uptime = status.value?.uptime_seconds;
  const now = nowNs();
  const options = { now, zone: name, ...(uptime === undefined ? {} : { boot: now - BigInt(Math.round(uptime)) * 1_000_000_000n }) };
  const understood: ParsedTime | TimeError | null = text.trim() === '' ? null : parseTime(text, options);
  const submit = (event: Event) => {
    event.preventDefault();
    if (understood !== null && 'from' in understood) choose(understood);
  };
  const ranges = recent();
  return <>
    <form onSubmit={submit}>
      <input class="box time-text" data-autofocus autofocus type="text" value={text} placeholder="yesterday 3am..4am" aria-label="Time in words" aria-describedby="time-says"
        autocomplete="off" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
      <p id="time-says" class="time-says" role="status">
        {understood === null ? <span class="muted">Write {EXAMPLES.slice(0, 3).map((each, i) => <>{i > 0 && ', '}<button type="button" class="link" onClick={() => setText(each)}>{each}</button></>)}, or paste a log line.</span>
          : 'from' in understood ? <><Icon name="check" class="good" /> {understood.shown} <span class="muted">· Enter</span></>
            : <span class="danger">{understood.error}</span>}
        {understood !== null && 'choices' in understood && <span class="time-choices">{understood.choices?.map((choice) => <button type="button" key={choice.label}
          class="button bordered small" onClick={() => choose(choice)}>{choice.label}</button>)}</span>}
      </p>
    </form>
    <div class="time-presets" role="group" aria-label="Ranges">
      {PRESETS.map((preset) => <button type="button" class="button bordered" key={preset.label} aria-pressed={preset.from === from && preset.to === to}
        onClick={() => choose(preset)}>{preset.label}</button>)}
    </div>
    <FromTo key={`${from} ${to} ${name}`} />
    <label class="time-zone">
      <span class="muted">Zone</span>
      <select class="box" value={preferences.value.zone} onChange={(event) => prefer({ zone: event.currentTarget.value })}>
        <option value="browser">Browser ({zoneLabel(zoneName('browser'), Date.now())})</option>
        <option value="agent">Agent ({agentZone.value})</option>
        <option value="utc">UTC</option>
        <optgroup label="All zones">{Intl.supportedValuesOf('timeZone').map((each) => <option key={each}>{each}</option>)}</optgroup>
      </select>
    </label>
    {ranges.length > 0 && <div class="time-recent">
      <h3 class="muted">Used before</h3>
      {ranges.map((range) => <button type="button" class="menu-item" key={`${range.from} ${range.to}`} onClick={() => choose(range)}>
        <span class="clip">{describeRange(range.from, range.to, name, now)}</span>
      </button>)}
    </div>}
  </>;
}

const pad = (value: number, length = 2): string => String(value).padStart(length, '0');

/** An instant as the browser's calendar wants it, on the zone's clock. */
export function toField(ns: bigint, name: string): string {
  const { year, month, day, hour, minute, second } = localParts(name, Number(ns / 1_000_000n));
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}`;
}

/** The instant of the calendar's text on the zone's clock, the first of two; `null` for none. */
export function fromField(text: string, name: string): bigint | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1).map((part) => Number(part ?? 0));
  const ms = instantsOf(name, Date.UTC(year!, month! - 1, day, hour, minute, second))[0];
  return ms === undefined ? null : BigInt(ms) * 1_000_000n;
}

/** Two fields with the browser's own calendar. */
function FromTo() {
  const name = zone.value;
  const { from, to } = address.value;
  const range = resolveRange(from, to, nowNs());
  const [start, setStart] = useState(from === 'all' ? '' : toField(range.start, name));
  const [end, setEnd] = useState(to === 'now' ? '' : toField(range.end, name));
  const a = fromField(start, name);
  const b = end === '' ? nowNs() : fromField(end, name);
  const isGood = a !== null && b !== null && a < b;
  const apply = (event: Event) => {
    event.preventDefault();
    if (isGood) choose(end === '' ? { from: absolute({ start: a, end: b }).from, to: 'now' } : absolute({ start: a, end: b }));
  };
  return <form class="time-fields" onSubmit={apply}>
    <label><span class="muted">From</span><input class="box" type="datetime-local" step={1} value={start} onInput={(event) => setStart(event.currentTarget.value)} /></label>
    <label><span class="muted">To</span><input class="box" type="datetime-local" step={1} value={end} title="Empty: now, and what comes" onInput={(event) => setEnd(event.currentTarget.value)} /></label>
    <button type="submit" class="button bordered" disabled={!isGood}>Show</button>
  </form>;
}
