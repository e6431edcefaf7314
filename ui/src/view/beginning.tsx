// The first minutes: how far what was there at the start is read.
import { isImporting, status } from '../api/status';
import { formatBytes, formatCount, formatDuration } from '../time/format';

/** A bar while files that were there at the start are being read. */
export function FirstMinutes() {
  const now = status.value;
  if (now === null || !isImporting(now)) return null;
  const { files, files_read: read, total_bytes: total, read_bytes: done, seconds_left: left } = now.import;
  return <div class="bar importing" role="progressbar" aria-label="Reading what was there" aria-valuemin={0} aria-valuemax={100}
    aria-valuenow={Math.floor((done / Math.max(1, total)) * 100)}>
    <span>Reading what was there: <b>{formatCount(read)}</b> of {formatCount(files)} files, {formatBytes(done)} of {formatBytes(total)}
      {left !== null && `, ${formatDuration(BigInt(left) * 1_000_000_000n)} left`} <span class="muted">· newest first</span></span>
    <progress max={total} value={done} aria-hidden="true" />
  </div>;
}
