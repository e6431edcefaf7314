// Conditions on the level: `| detected_level=~"warn|error|critical|fatal"`.
import { groupOf, type Level } from '../model';
import type { LabelFilter, Query } from './query';
import { isExcluding, oneOf, valuesOf } from './values';

/** The metadata in which the server puts a line's level. */
export const LEVEL_LABEL = 'detected_level';

/** The mildest first. `unknown` is below all: a line without a level is not among those at least as bad as something. */
export const RISING_LEVELS: readonly Level[] = ['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'critical', 'fatal'];

function upFrom(level: Level): Level[] {
  // Critical and fatal are one level here, with one mark.
  return RISING_LEVELS.slice(RISING_LEVELS.indexOf(level === 'fatal' ? 'critical' : level));
}

/** Only lines of this level and worse ones; `null` and `unknown` lift it. */
export function withMinLevel(query: Query, level: Level | null): Query {
  return withLevels(query, level === null || level === 'unknown' ? [] : upFrom(level));
}

/** Only lines of these levels; none lifts it. */
export function withLevels(query: Query, levels: readonly Level[]): Query {
  const labelFilters = query.labelFilters.filter(({ name }) => name !== LEVEL_LABEL);
  if (levels.length > 0) {
    const values = RISING_LEVELS.filter((level) => levels.includes(level));
    const place = labelFilters.findIndex(({ name }) => LEVEL_LABEL < name);
    labelFilters.splice(place < 0 ? labelFilters.length : place, 0, oneOf(LEVEL_LABEL, values, false));
  }
  return { ...query, labelFilters };
}

/** The levels that a condition allows, the mildest first; `null` where it is none on the level, or not by known names. */
export function levelsOfFilter(filter: LabelFilter): Level[] | null {
  const values = filter.name === LEVEL_LABEL ? valuesOf(filter) : null;
  if (values === null || !values.every((value) => (RISING_LEVELS as readonly string[]).includes(value))) return null;
  return RISING_LEVELS.filter((level) => values.includes(level) !== isExcluding(filter.op));
}

/** The levels the query asks for, the mildest first; `null` where it does not ask, or not by plain names. */
export function levelsOf(query: Query): Level[] | null {
  const filters = query.labelFilters.filter(({ name }) => name === LEVEL_LABEL);
  const sets = filters.map(levelsOfFilter);
  if (sets.length === 0 || sets.includes(null)) return null;
  return RISING_LEVELS.filter((level) => sets.every((set) => set!.includes(level)));
}

/** The level that these are all the levels from; `null` where they have a gap or an end. */
export function minOf(levels: readonly Level[]): Level | null {
  const [first] = levels;
  if (first === undefined || first === 'unknown') return null;
  const all = upFrom(first);
  return all.length === levels.length && all.every((level, i) => level === levels[i]) ? (groupOf(first) === 'fatal' ? 'fatal' : first) : null;
}

/** The level that the query asks for at least; `null` where it does not ask so. */
export function minLevelOf(query: Query): Level | null {
  const levels = levelsOf(query);
  return levels === null ? null : minOf(levels);
}
