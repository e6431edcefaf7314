// The overview's first line: how much there is, how much of it is errors, how far it goes back.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { errorShares, errorTrend } from '../api/shares';
import { countLines } from '../api/loki';
import { status } from '../api/status';
import { streams, toNs } from '../api/streams';
import { address, preferences } from '../state';
import { formatBytes, formatCount } from '../time/format';
import { describeRange, resolveRange } from '../time/range';
import { zoneName } from '../time/zone';
import { formatMinute, shareText } from './row';

const PAUSE_MS = 30_000;

const lines = signal<number | null>(null);

/** Counts the lines of the range, now and every 30 s. */
function watchLines(from: string, to: string): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  lines.value = null;
  const round = async () => {
    const { start, end } = resolveRange(from, to, BigInt(Date.now()) * 1_000_000n);
    try {
      if (!document.hidden) lines.value = await countLines('{service_name=~".+"}', start, end, abort.signal);
    } catch {
      // Not known is said by leaving it out.
      lines.value = null;
    }
    if (!abort.signal.aborted) timer = setTimeout(() => void round(), PAUSE_MS);
  };
  void round();
  return () => {
    abort.abort();
    clearTimeout(timer);
  };
}

export function Summary() {
  const { from, to } = address.value;
  useEffect(() => watchLines(from, to), [from, to]);
  const answer = streams.value;
  const now = status.value;
  const all = errorShares.value?.all;
  const trend = errorTrend.value;
  const zone = zoneName(preferences.value.zone);
  const oldest = answer?.oldest ?? (now?.oldest != null ? toNs(now.oldest) : null);
  const node = answer?.streams.find(({ labels }) => labels.has('node'))?.labels.get('node');
  const limit = now?.retention?.bytes_max;
  const range = describeRange(from, to, zone, BigInt(Date.now()) * 1_000_000n);
  return <div class="summary">
    <span><b>{answer === null ? '…' : formatCount(answer.streams.length)}</b> {answer?.streams.length === 1 ? 'stream' : 'streams'}</span>
    {lines.value !== null && <span><b>{formatCount(lines.value)}</b> lines <span class="muted">· {range.charAt(0).toLowerCase() + range.slice(1)}</span></span>}
    {all !== undefined && all.total > 0 && <span title="Share of errors in the lines of the last 15 minutes, and how many errors there were for each of the 15 before">
      errors <b>{shareText(all.errors / all.total)}</b>{trend !== null && trend >= 1.5 && <span class="trend"> ▲ {trend.toFixed(1)}×</span>}
      {trend !== null && trend > 0 && trend <= 0.67 && <span class="muted"> ▼ {trend.toFixed(1)}×</span>}
    </span>}
    <span class="grow" />
    {node !== undefined && <span class="muted aside node">Logs of this node only</span>}
    {oldest !== null && <span class="muted aside">oldest line {formatMinute(oldest, zone)}</span>}
    {now !== null && <span class="muted aside">{formatBytes(now.disk_bytes)}{limit != null && limit > 0 ? ` of ${formatBytes(limit)}` : ''} kept</span>}
  </div>;
}
