// Streams as people think of them: namespace and app, directory and file, project and container. Pure functions over the answer of `streams`.
import type { StreamInfo } from './api/streams';
import { appMatchers, appOfPod, union } from './logql/apps';
import type { Matcher } from './logql/query';
import { quoteRegexp } from './logql/values';
import type { Level } from './model';
import { visible } from './text/controls';

/** One row of the overview: an app, a container of it, a pod, a file. */
export interface Row {
  /** The same in every answer. */
  readonly key: string;
  readonly name: string;
  /** Where it is, for rows that stand outside of their group: `shop`, `/var/log`. */
  readonly place: string;
  readonly unit: 'pod' | 'file' | 'stream';
  readonly matchers: readonly Matcher[];
  readonly streams: readonly StreamInfo[];
  readonly volume: readonly number[];
  readonly lines: number;
  readonly first: bigint;
  readonly last: bigint;
  readonly lastLine: string;
  readonly lastLevel: Level;
  readonly gaps: number;
  /** Pods, files or streams, if there are several. */
  readonly parts: readonly Row[];
  /** Containers, if an app has several. */
  readonly containers: readonly Row[];
}

export interface Group extends Omit<Row, 'parts' | 'containers'> {
  readonly rows: readonly Row[];
}

/** What a stream is called on each level. */
interface Names {
  readonly group: string;
  readonly groupMatchers: readonly Matcher[];
  readonly app: string;
  readonly appMatchers: readonly Matcher[];
  readonly part: string;
  readonly partMatchers: readonly Matcher[];
  readonly container: string;
  readonly unit: Row['unit'];
}

const equal = (name: string, value: string): Matcher => ({ name, op: '=', value });

const OTHER = 'Other';
/** Labels that say the project of a container which is not Kubernetes'. */
const PROJECTS = ['compose_project', 'com_docker_compose_project', 'project', 'job'];

/** What ends in `/`, or `''` where there is no directory. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function namesOf({ labels, service }: StreamInfo): Names {
  const [namespace, pod, path] = [labels.get('namespace'), labels.get('pod'), labels.get('path')];
  const container = labels.get('container') ?? '';
  // A pushed name wins over one that is read out of the pod's.
  const pushed = ['service_name', 'app'].find((name) => labels.has(name));
  const own = [...labels].filter(([name]) => name !== 'stream').map(([name, value]) => equal(name, value));
  if (namespace !== undefined) {
    const groupMatchers = [equal('namespace', namespace)];
    const base = { group: namespace, groupMatchers, container };
    const part = pod ?? service;
    const partMatchers = pod === undefined ? own : [...groupMatchers, equal('pod', pod)];
    if (pushed !== undefined || pod === undefined) {
      const name = pushed ?? 'container';
      const app = labels.get(name) ?? service;
      const matchers = labels.has(name) ? [...groupMatchers, equal(name, app)] : own;
      return { ...base, app, appMatchers: matchers, part, partMatchers, unit: pod === undefined ? 'stream' : 'pod' };
    }
    const { app, controller } = appOfPod(pod);
    return { ...base, app, appMatchers: appMatchers(namespace, app, controller), part, partMatchers, unit: 'pod' };
  }
  if (path !== undefined) {
    const group = directoryOf(path);
    const groupMatchers: Matcher[] = [{ name: 'path', op: '=~', value: `${quoteRegexp(group === '/' ? '' : group)}/[^/]+` }];
    return { group, groupMatchers, app: service, appMatchers: [], part: path, partMatchers: [equal('path', path)], container: '', unit: 'file' };
  }
  const project = PROJECTS.find((name) => labels.has(name));
  const group = project === undefined ? OTHER : labels.get(project)!;
  const name = pushed ?? (container === '' ? undefined : 'container');
  const groupMatchers = project === undefined ? [] : [equal(project, group)];
  const matchers = name === undefined ? [] : [...groupMatchers, equal(name, labels.get(name)!)];
  const part = own.map(({ name: label, value }) => `${label}=${value}`).join(', ');
  return { group, groupMatchers, app: name === undefined ? service : labels.get(name)!, appMatchers: matchers, part, partMatchers: own, container, unit: 'stream' };
}

/** What the members of a row add up to. */
function summed(streams: readonly StreamInfo[]) {
  const volume: number[] = [];
  let [lines, gaps] = [0, 0];
  let [first, newest] = [streams[0]!.first, streams[0]!];
  for (const stream of streams) {
    stream.volume.forEach((bytes, step) => (volume[step] = (volume[step] ?? 0) + bytes));
    lines += stream.lines;
    gaps += stream.gaps;
    if (stream.first < first) first = stream.first;
    if (stream.last > newest.last) newest = stream;
  }
  return { streams, volume, lines, gaps, first, last: newest.last, lastLine: newest.lastLine, lastLevel: newest.lastLevel };
}

type Named = readonly [StreamInfo, Names];

function gather<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const list = found.get(key);
    if (list === undefined) found.set(key, [item]);
    else list.push(item);
  }
  return found;
}

function rowOf(key: string, name: string, members: readonly Named[], matchers: readonly Matcher[], more: Partial<Row> = {}): Row {
  const { group, unit } = members[0]![1];
  return { key, name: visible(name), place: visible(group), unit, matchers, parts: [], containers: [], ...summed(members.map(([stream]) => stream)), ...more };
}

function appRow(key: string, members: readonly Named[]): Row {
  const names = members[0]![1];
  const parts = [...gather(members, ([, { part }]) => part)].map(([part, of]) =>
    rowOf(`${key}\n${part}`, names.unit === 'file' ? baseName(part) : part, of, of[0]![1].partMatchers));
  const matchers = names.appMatchers.length > 0 ? names.appMatchers : parts.length === 1 ? parts[0]!.matchers : union(parts.map((part) => part.matchers));
  const byContainer = gather(members, ([, { container }]) => container);
  const containers = byContainer.size < 2 || matchers.some(({ name }) => name === 'container') ? [] : [...byContainer].map(([container, of]) =>
    rowOf(`${key}\t${container}`, container, of, [...matchers, equal('container', container)]));
  // A file is called as on disk; several of one service as the one that is not rotated, which has the shortest name.
  const name = names.unit === 'file' ? parts.map((part) => part.name).reduce((a, b) => (b.length < a.length ? b : a)) : names.app;
  return rowOf(key, name, members, matchers, { parts: parts.length > 1 ? parts : [], containers });
}

/** What selects the lines of a source: those of its container in Kubernetes, or of its file. */
export function sourceMatchers(path: string, collector: string): Matcher[] {
  const pods = /\/([^/_]+)_([^/_]+)_[^/]+\/([^/]+)\/[^/]+$/.exec(path);
  if (collector !== 'Kubernetes') return [equal('path', path)];
  if (pods !== null) return [equal('namespace', pods[1]!), equal('pod', pods[2]!), equal('container', pods[3]!)];
  const links = /\/([^/_]+)_([^/_]+)_([^/]+)-[0-9a-f]{64}\.log$/.exec(path);
  return links === null ? [equal('path', path)] : [equal('namespace', links[2]!), equal('pod', links[1]!), equal('container', links[3]!)];
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

/** The streams in groups: by place (`''`), or by the values of a label. Rows and groups come by name. */
export function groupStreams(streams: readonly StreamInfo[], by = ''): Group[] {
  const named = streams.map((stream): Named => [stream, namesOf(stream)]);
  const valueOf = ([stream, names]: Named) => (by === '' ? names.group : (stream.labels.get(by) ?? OTHER));
  return [...gather(named, valueOf)].map(([group, members]): Group => {
    const added = by === '' || !members[0]![0].labels.has(by) ? [] : [equal(by, group)];
    const rows = [...gather(members, ([, names]) => `${names.group}\n${names.app}`)].map(([key, of]) => appRow(`${group}\n${key}`, of)).map((row) =>
      added.length === 0 || row.matchers.some(({ name }) => name === by) ? row : { ...row, matchers: [...added, ...row.matchers] });
    const matchers = by === '' ? members[0]![1].groupMatchers : added;
    return { ...rowOf(group, group, members, matchers), rows: rows.sort(byName) };
  }).sort(byName);
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** By name, what has no place of its own last. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return Number(a.name === OTHER) - Number(b.name === OTHER) || COLLATOR.compare(a.name, b.name);
}

/** Labels that tell channels and restarts of one container apart. */
const NO_GROUPS = new Set(['stream', 'container_id']);

/** Labels by which the streams could be grouped: those that split them into 2 to 200. */
export function groupLabels(streams: readonly StreamInfo[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const { labels } of streams) {
    for (const [name, value] of labels) {
      const known = values.get(name) ?? new Set<string>();
      values.set(name, known.add(value));
    }
  }
  return [...values].filter(([name, { size }]) => size >= 2 && size <= 200 && !NO_GROUPS.has(name)).map(([name]) => name).sort();
}

/** What the groups by place are: the word for the menu. */
export function placeWord(streams: readonly StreamInfo[]): string {
  const count = (name: string) => streams.filter(({ labels }) => labels.has(name)).length;
  const namespaces = count('namespace');
  return namespaces > 0 && namespaces * 2 >= streams.length ? 'namespace' : count('path') * 2 >= streams.length ? 'directory' : 'place';
}

const MINUTE = 60_000_000_000n;
const SILENT_LINES_MIN = 10;
const SILENT_NS_MIN = 10n * MINUTE;
const SILENT_PAUSES = 5n;

/** Whether a row that used to write has stopped: nothing for 10 minutes, or for five of its usual pauses if that is longer. */
export function isSilent({ lines, first, last }: Pick<Row, 'lines' | 'first' | 'last'>, now: bigint): boolean {
  if (lines < SILENT_LINES_MIN) return false;
  const pause = (last - first) / BigInt(lines - 1);
  const limit = pause * SILENT_PAUSES > SILENT_NS_MIN ? pause * SILENT_PAUSES : SILENT_NS_MIN;
  return now - last > limit;
}

/** Whether a row began within the range, in a database that goes back further. */
export function isNew({ first }: Pick<Row, 'first'>, start: bigint, oldest: bigint | null): boolean {
  return oldest !== null && oldest < start && first >= start;
}

export type Sort = 'last' | 'name' | 'volume' | 'errors';

/** Lines of the last minutes by level, of streams that share these labels. */
export interface Share {
  readonly errors: number;
  readonly total: number;
}

/** Sorts rows or groups. What wrote within the last minute counts as equal, so that rows do not change places with each line. */
export function sortRows<T extends { readonly name: string; readonly last: bigint; readonly volume: readonly number[]; readonly key: string }>(
  rows: readonly T[], sort: Sort, now: bigint, shareOf: (row: T) => number,
): T[] {
  const minutes = (row: T) => Number((now - row.last) / MINUTE);
  const bytes = (row: T) => row.volume.reduce((sum, step) => sum + step, 0);
  const order: Record<Sort, (a: T, b: T) => number> = {
    last: (a, b) => minutes(a) - minutes(b),
    name: () => 0,
    volume: (a, b) => bytes(b) - bytes(a),
    errors: (a, b) => shareOf(b) - shareOf(a),
  };
  return [...rows].sort((a, b) => order[sort](a, b) || byName(a, b));
}

/** Keeps rows where they were; those that are new come last. */
export function keepOrder<T extends { readonly key: string }>(rows: readonly T[], before: ReadonlyMap<string, number>): T[] {
  const place = (row: T) => before.get(row.key) ?? Infinity;
  return [...rows].sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}
