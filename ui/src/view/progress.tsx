// How far an answer is that is being looked for.
import { useEffect, useState } from 'preact/hooks';
import type { LogSession } from '../session';
import { formatBytes, formatTime } from '../time/format';
import { zone } from './asked';

/** When words are added to the bar that says that something is under way. */
const WORDS_MS = 1_000;

/** A thin bar while lines are looked for; after a second how far that is. */
export function Progress({ session }: { session: LogSession }) {
  const isLoading = session.state.value === 'loading';
  const [hasWords, setWords] = useState(false);
  useEffect(() => {
    setWords(false);
    if (!isLoading) return undefined;
    const timer = setTimeout(() => setWords(true), WORDS_MS);
    return () => clearTimeout(timer);
  }, [isLoading]);
  if (!isLoading) return null;
  const seen = session.progress.value;
  return <>
    <div class="progress" role="progressbar" aria-label="Loading lines" />
    {hasWords && <p class="progress-words" role="status">
      {seen === null ? 'Looking…' : `Looked at ${formatBytes(seen.bytes)}, back to ${formatTime(seen.backTo, 'date', zone.value).replace(/\.\d+$/, '')}`}
      <button type="button" class="button bordered small" onClick={() => session.stop()}>Stop</button>
    </p>}
  </>;
}
