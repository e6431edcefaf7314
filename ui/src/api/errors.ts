// The share of errors of each stream over the last 15 minutes, and of all of them against the 15 minutes before: metric queries of Loki's API with
// little time. Without an answer nothing is known, which is not none.
import type { StreamInfo } from './streams';
import { isAbort } from './http';
import { queryAt, type Sample } from './loki';
import { errorShares, errorTrend } from './shares';
import { streams } from './streams';

const WINDOW = '15m';
const WINDOW_NS = 900_000_000_000n;
const PAUSE_MS = 30_000;
/** How long each of them may take, in ms. */
const TIMEOUT_MS = 2_000;
const ERRORS = 'error|critical|fatal';
/** Labels that tell channels and restarts of one container apart: of no interest here, and many. */
const LEFT_OUT = new Set(['stream', 'container_id', 'node']);
const NAMES_MAX = 12;

interface Count { errors: number; total: number }

/** Errors and lines by the labels that streams are told apart by. */
export class Shares {
  private readonly counts = new Map<string, Count>();
  readonly all: Readonly<Count>;

  constructor(private readonly names: readonly string[], samples: readonly Sample[]) {
    const all = { errors: 0, total: 0 };
    for (const { labels, value } of samples) {
      const key = this.keyOf(labels);
      const count = this.counts.get(key) ?? { errors: 0, total: 0 };
      this.counts.set(key, count);
      for (const sum of [count, all]) {
        sum.total += value;
        if (isError(labels.get('detected_level'))) sum.errors += value;
      }
    }
    this.all = all;
  }

  /** The share of errors in what these streams wrote, 0 to 1; `undefined` where they wrote nothing. */
  of(members: readonly Pick<StreamInfo, 'labels'>[]): number | undefined {
    const sum = { errors: 0, total: 0 };
    for (const key of new Set(members.map(({ labels }) => this.keyOf(labels)))) {
      const count = this.counts.get(key);
      sum.errors += count?.errors ?? 0;
      sum.total += count?.total ?? 0;
    }
    return sum.total === 0 ? undefined : sum.errors / sum.total;
  }

  private keyOf(labels: ReadonlyMap<string, string>): string {
    return JSON.stringify(this.names.map((name) => labels.get(name) ?? ''));
  }
}

function isError(level: string | undefined): boolean {
  return level === 'error' || level === 'critical' || level === 'fatal';
}

async function ask(signal: AbortSignal): Promise<void> {
  const known = streams.peek()?.streams ?? [];
  if (known.length === 0) return;
  const names = [...new Set(known.flatMap(({ labels }) => [...labels.keys()]))].filter((name) => !LEFT_OUT.has(name)).slice(0, NAMES_MAX);
  const now = BigInt(Date.now()) * 1_000_000n;
  const counted = `count_over_time({service_name=~".+"} [${WINDOW}])`;
  const samples = await queryAt(`sum by (${[...names, 'detected_level'].join(', ')}) (${counted})`, now, 'counts', signal, TIMEOUT_MS);
  const shares = new Shares(names, samples);
  errorShares.value = shares;
  const before = `sum(count_over_time({service_name=~".+"} | detected_level=~"${ERRORS}" [${WINDOW}]))`;
  const [sample] = await queryAt(before, now - WINDOW_NS, 'counts', signal, TIMEOUT_MS);
  errorTrend.value = sample === undefined || sample.value === 0 ? null : shares.all.errors / sample.value;
}

/** Asks when streams are known, then every 30 s while the tab is visible, until what it gives back is called. */
export function watchErrors(): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  const round = async () => {
    try {
      if (!document.hidden) await ask(abort.signal);
    } catch (error) {
      if (!isAbort(error)) errorShares.value = null;
    }
    if (!abort.signal.aborted) timer = setTimeout(() => void round(), streams.peek() === null ? 200 : PAUSE_MS);
  };
  void round();
  return () => {
    abort.abort();
    clearTimeout(timer);
  };
}
