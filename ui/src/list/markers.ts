// Rows between lines: a new day, a restart, a rotation, lines that are not loaded, bytes that were lost.
import type { Marker } from '../api/records';
import { formatBytes, formatCount, formatDay } from '../time/format';
import { make } from './row';
import type { OwnMarker } from './rows';

/** Words for the reasons of the agent; others are shown as they are. */
const LOSS_REASONS: Record<string, string> = {
  truncated: 'the file was cut before it was read',
  deleted: 'the file was deleted while the agent was not running',
  over_budget: 'the file was deleted, and more waited to be read than may be held',
  damaged: 'the file is damaged',
};

/** A marker row that is drawn. */
export class MarkerElement {
  readonly element: HTMLElement;
  y = NaN;

  constructor(
    /** The line that it stands before. */
    public index: number,
    /** Which of the markers before that line, from the oldest on. */
    readonly ordinal: number,
    readonly marker: Marker | OwnMarker,
    readonly text: string,
  ) {
    this.element = make('div', `marker marker-${typeof marker === 'string' ? marker : marker.kind}`);
    this.element.setAttribute('role', 'row');
    const cell = make('span', 'marker-text');
    cell.setAttribute('role', 'gridcell');
    cell.textContent = text;
    this.element.append(cell);
    if (typeof marker === 'string' || marker.kind !== 'gap') return;
    const button = make('button', 'marker-load');
    button.type = 'button';
    button.textContent = 'Load';
    cell.append(' ', button);
  }
}

/** The words of a marker; `day` is a time of the day that begins there. */
export function markerText(marker: Marker | OwnMarker, day: bigint, zone: string, now: bigint): string {
  if (marker === 'day') return formatDay(day, zone, now);
  if (marker === 'restart') return 'The container was restarted here.';
  if (marker.kind === 'loss') {
    const bytes = Math.max(0, marker.bytes[1] - marker.bytes[0]);
    const reason = LOSS_REASONS[marker.reason] ?? marker.reason;
    return `${bytes > 0 ? formatBytes(bytes) : 'Something'} lost here${reason === '' ? '.' : `: ${reason}.`}`;
  }
  if (marker.kind !== 'gap') return marker.kind === 'rotated' ? 'The file was rotated here.' : 'The agent was restarted here.';
  const lines = marker.lines === undefined ? 'Lines' : `${formatCount(marker.lines)} ${marker.lines === 1 ? 'line' : 'lines'}`;
  return marker.reason === 'missed' ? `${lines} came faster than they were read.` : `${lines} not loaded.`;
}
