// Choosing a range of time, or a time to scroll to: in words, by presets, by the browser's calendar.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { status } from '../api/status';
import { address } from '../state';
import { type ParsedTime, parseTime, type TimeError } from '../time/parse';
import { absolute, describeRange, PRESETS, resolveRange } from '../time/range';
import { instantsOf, localParts } from '../time/zone';
import { nowNs } from '../time/format';
import { zone } from './asked';
import { Icon } from './icon';
import { choose, recent } from './recent';
import { ZonePicker } from './zonepicker';

const EXAMPLES = ['last 2 hours', 'yesterday 17:30', '10:00..10:30', 'mon 9:00..12:00', 'a pasted log line'];

export function TimeForm() {
  const ranges = recent();
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
      <ZonePicker />
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

/** The key `:`: scrolls to a time within the answer. */
export function GoToTime({ onTime, onClose: close }: { onTime: (time: bigint) => void; onClose: () => void }) {
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  const understood = text.trim() === '' ? null : parseTime(text, { now: nowNs(), zone: zone.value });
  const submit = (event: Event) => {
    event.preventDefault();
    if (understood === null || !('from' in understood)) return;
    const { start, end } = resolveRange(understood.from, understood.to, nowNs());
    close();
    // An instant is read as the time around it.
    onTime(/[.][.]|\bto\b|^\s*(last|\d+\s*[a-z]+\s*$)/.test(text) ? start : (start + end) / 2n);
  };
  return <form class="lines-goto" onSubmit={submit}>
    <input ref={input} class="box" value={text} placeholder="10:12" aria-label="Scroll to a time" autocomplete="off" spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)} onBlur={close} onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        close();
      }} />
    <span class={understood !== null && 'error' in understood ? 'danger' : 'muted'}>{understood === null ? 'Scroll to a time' : 'error' in understood ? understood.error : understood.shown}</span>
  </form>;
}
