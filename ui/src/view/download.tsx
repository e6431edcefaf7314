// The popover to save lines: streamed by the server into a file, without a limit on lines and past the page's memory.
import { useSignal } from '@preact/signals';
import { downloadUrl } from '../api/lines';
import { selectorOf } from '../logql/any';
import { appOfPattern } from '../logql/apps';
import { ALL, build } from '../logql/build';
import { parseSimple } from '../logql/simple';
import type { Line } from '../model';
import { address, preferences } from '../state';
import { objectsOf, textOf } from '../text/clipboard';
import { formatBytes, formatRfc3339, linesText, nowNs } from '../time/format';
import { resolveRange } from '../time/range';
import { zoneName } from '../time/zone';
import { Icon } from './icon';

export interface DownloadProps {
  /** How many lines the answer has, as far as that is known. */
  readonly lines?: number;
  /** How many bytes they have, about. */
  readonly bytes?: number;
  /** The lines that are ticked, in order. */
  readonly selected: readonly Line[];
}

type Format = 'text' | 'jsonl' | 'raw';
type What = 'answer' | 'selected' | 'streams';
type Times = 'none' | 'zone' | 'utc';

/** Answers of so many bytes are offered compressed. */
const COMPRESSED_BYTES_MIN = 10_000_000;

const EXTENSIONS: Readonly<Record<Format, string>> = { text: 'txt', jsonl: 'jsonl', raw: 'log' };

interface ChoicesProps<T extends string> {
  legend: string;
  value: T;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
  isColumn?: boolean;
}

function Choices<T extends string>({ legend, value, choices, onChange, isColumn = false }: ChoicesProps<T>) {
  return <fieldset>
    <legend>{legend}</legend>
    <div class={isColumn ? '' : 'choices'}>
      {choices.map(([choice, label]) => <label key={choice} class={isColumn ? 'check' : ''}>
        <input type="radio" class={isColumn ? '' : 'sr'} name={legend} checked={choice === value} onChange={() => onChange(choice)} /><span>{label}</span>
      </label>)}
    </div>
  </fieldset>;
}

export function DownloadForm({ lines, bytes, selected, onDone }: DownloadProps & { onDone: () => void }) {
  const format = useSignal<Format>('text');
  const what = useSignal<What>(selected.length === 0 ? 'answer' : 'selected');
  const times = useSignal<Times>('zone');
  const hasStreams = useSignal(true);
  /** `null` until it is chosen. */
  const isCompressed = useSignal<boolean | null>(null);
  const zone = zoneName(preferences.value.zone);
  const size = lines === undefined ? '' : ` (about ${linesText(lines)}${bytes === undefined ? '' : `, ${formatBytes(bytes)}`})`;
  const whats: (readonly [What, string])[] = [['answer', `This answer${size}`], ['streams', 'These streams without filters']];
  if (selected.length !== 0) whats.unshift(['selected', `The ticked lines (${linesText(selected.length)})`]);

  const count = what.value === 'selected' ? selected.length : what.value === 'answer' ? lines : undefined;
  const isHere = what.value === 'selected';
  const compresses = !isHere && (isCompressed.value ?? (what.value === 'answer' && bytes !== undefined && bytes >= COMPRESSED_BYTES_MIN));
  const name = `${fileName(count, format.value, zone)}${compresses ? '.gz' : ''}`;
  const save = () => {
    if (what.value === 'selected') saveHere(selected, name, { format: format.value, times: times.value, hasStreams: hasStreams.value, zone });
    onDone();
  };
  const href = what.value === 'selected' ? undefined : urlOf(what.value, name, { format: format.value, times: times.value, hasStreams: hasStreams.value, zone });
  const face = <><Icon name="download" /> Download</>;
  return <div class="download">
    <Choices legend="Lines" value={what.value} choices={whats} onChange={(value) => (what.value = value)} isColumn />
    <Choices legend="Format" value={format.value} choices={[['text', 'Text'], ['jsonl', 'JSON Lines'], ['raw', 'Raw']]} onChange={(value) => (format.value = value)} />
    {format.value !== 'raw' && <Choices legend="Times" value={times.value} onChange={(value) => (times.value = value)}
      choices={[['zone', zone], ...(zone === 'UTC' ? [] : [['utc', 'UTC'] as const]), ['none', 'None']]} />}
    {format.value === 'text' && <label class="check">
      <input type="checkbox" checked={hasStreams.value} onChange={() => (hasStreams.value = !hasStreams.value)} /> Names of streams
    </label>}
    {!isHere && <label class="check">
      <input type="checkbox" checked={compresses} onChange={(event) => (isCompressed.value = event.currentTarget.checked)} /> Compressed
    </label>}
    <p class="muted clip" title={name}>{name}</p>
    {href === undefined ? <button type="button" class="button primary" onClick={save}>{face}</button>
      : <a class="button primary" href={href} download={name} onClick={save}>{face}</a>}
  </div>;
}

interface Written { format: Format; times: Times; hasStreams: boolean; zone: string }

function urlOf(what: What, name: string, { format, times, hasStreams, zone }: Written): string {
  const { q, from, to } = address.value;
  const { start, end } = resolveRange(from, to, nowNs());
  const query = q === '' ? build(ALL) : what === 'streams' ? selectorOf(q) : q;
  return downloadUrl({
    query, start: String(start), end: String(end), direction: 'forward', format, download: name, times, zone: times === 'zone' ? zone : undefined,
    streams: hasStreams ? '1' : '0',
  });
}

/** Saves lines that the page has: ticked ones need not be neighbours, so no request names them. */
function saveHere(lines: readonly Line[], name: string, { format, times, hasStreams, zone }: Written): void {
  const shownZone = times === 'none' ? undefined : times === 'utc' ? 'UTC' : zone;
  const text = format === 'jsonl' ? objectsOf(lines, shownZone) : textOf(lines, { isRaw: true, ...(format === 'raw' ? {} : { zone: shownZone, hasStreams }) });
  const url = URL.createObjectURL(new Blob([text, '\n'], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** `checkout_2026-11-30T10-12_412-lines.txt`. */
export function fileName(lines: number | undefined, format: Format, zone: string): string {
  const time = formatRfc3339(resolveRange(address.value.from, address.value.to, nowNs()).end, zone).slice(0, 16).replace(':', '-');
  return [subject(), time, ...(lines === undefined ? [] : [`${lines}-${lines === 1 ? 'line' : 'lines'}`])].join('_') + `.${EXTENSIONS[format]}`;
}

/** What the query is about, in one word. */
function subject(): string {
  const matchers = parseSimple(address.value.q)?.matchers ?? [];
  for (const wanted of ['app', 'service_name', 'pod', 'container', 'path', 'namespace']) {
    const found = matchers.find(({ name, op }) => name === wanted && (op === '=' || op === '=~'));
    if (found === undefined) continue;
    const name = found.op === '=' ? (found.value.split('/').at(-1) ?? '') : (appOfPattern(found.value)?.app ?? '');
    const clean = name.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '').slice(0, 60);
    if (clean !== '') return clean;
  }
  return 'logs';
}
