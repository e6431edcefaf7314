// A sparkline of bars: its shape against its own largest step, its height against the largest row, so that a trickle does not look like a flood.
import { useMemo } from 'preact/hooks';

const HEIGHT = 16;
/** Height of the smallest row's largest step. */
const LEAST = 0.3;

/** The bars as one path, in a box of one unit a step. `most` is the largest step of all rows. */
export function sparkPath(volume: readonly number[], most: number): string {
  const own = Math.max(...volume, 0);
  if (own === 0) return '';
  const share = most <= 1 ? 1 : Math.max(LEAST, Math.log1p(own) / Math.log1p(most));
  return volume.map((value, step) => {
    if (value === 0) return '';
    const height = Math.max(1, Math.round((value / own) * share * HEIGHT * 10) / 10);
    return `M${step} ${HEIGHT}v-${height}h.8v${height}z`;
  }).join('');
}

export function Spark({ volume, most }: { volume: readonly number[]; most: number }) {
  const path = useMemo(() => sparkPath(volume, most), [volume, most]);
  return <svg class="spark" viewBox={`0 0 ${Math.max(1, volume.length)} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true"><path d={path} /></svg>;
}
