// What the page concludes from `/status`: the dot in the bar, the first words of the status page.
import { computed } from '@preact/signals';
import { type AgentStatus, status, statusError } from '../api/status';

export interface Verdict {
  readonly kind: 'good' | 'warn' | 'bad' | 'unknown';
  readonly words: string;
}

/** How many things there are that somebody should look at. */
export function problemCount(now: AgentStatus): number {
  const unreadable = now.sources?.filter(({ state }) => state === 'unreadable').length ?? 0;
  const stuck = now.forward?.filter(({ problem }) => problem !== null).length ?? 0;
  return unreadable + now.gaps.length + (now.unreadable_parts > 0 ? 1 : 0) + stuck + (now.alerts?.length ?? 0);
}

/** Nothing stored or bytes unaccounted for is bad; what is lost or cannot be read is to be looked at. */
export function judge(now: AgentStatus | null, error: string): Verdict {
  if (error !== '') return { kind: 'bad', words: 'The agent cannot be reached.' };
  if (now === null) return { kind: 'unknown', words: 'Asking the agent…' };
  if (now.problem !== undefined) return { kind: 'bad', words: `Lines are not being stored: ${now.problem}` };
  if (now.unaccounted_bytes !== 0) return { kind: 'bad', words: 'Some bytes are neither stored nor accounted for.' };
  const problems = problemCount(now);
  if (problems > 0) return { kind: 'warn', words: problems === 1 ? '1 problem' : `${problems} problems` };
  return { kind: 'good', words: 'All is well.' };
}

export const conclusion = computed(() => judge(status.value, statusError.value));
