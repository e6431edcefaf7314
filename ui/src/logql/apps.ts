// Apps of Kubernetes: an app is a pod's name without what its controller adds, and a selector for it includes its pods to come.
import type { Matcher } from './query';
import { isExcluding, quoteRegexp, splitAlternatives, unquoteRegexp } from './values';

export type Controller = 'deployment' | 'daemonset' | 'statefulset' | 'job' | 'pod';

/** What controllers add to a name, as Kubernetes makes it: random parts have neither vowels nor 0, 1 and 3 (`rand.SafeEncodeString`). */
const RANDOM = '[bcdfghjklmnpqrstvwxz2456789]';
const ADDED: readonly { readonly controller: Controller; readonly found: RegExp; readonly selected: string }[] = [
  { controller: 'job', found: new RegExp(`-\\d+-${RANDOM}{5}$`), selected: '-[0-9]+-[a-z0-9]{5}' },
  { controller: 'deployment', found: new RegExp(`-${RANDOM}{6,10}-${RANDOM}{5}$`), selected: '-[a-z0-9]+-[a-z0-9]{5}' },
  { controller: 'daemonset', found: new RegExp(`-${RANDOM}{5}$`), selected: '-[a-z0-9]{5}' },
  { controller: 'statefulset', found: /-\d{1,5}$/, selected: '-[0-9]+' },
];

/** The app a pod belongs to, and the kind of controller its name shows. */
export function appOfPod(pod: string): { app: string; controller: Controller } {
  for (const { controller, found } of ADDED) {
    const place = pod.search(found);
    if (place > 0) return { app: pod.slice(0, place), controller };
  }
  return { app: pod, controller: 'pod' };
}

/** Regexp of the names that the app's pods have and will have. */
export function podsOf(app: string, controller: Controller): string {
  return quoteRegexp(app) + (ADDED.find((each) => each.controller === controller)?.selected ?? '');
}

/** The matchers of an app: `{namespace="shop", pod=~"api-[a-z0-9]+-[a-z0-9]{5}"}`. */
export function appMatchers(namespace: string, app: string, controller: Controller): Matcher[] {
  const pods: Matcher = controller === 'pod' ? { name: 'pod', op: '=', value: app } : { name: 'pod', op: '=~', value: podsOf(app, controller) };
  return [{ name: 'namespace', op: '=', value: namespace }, pods];
}

/** The app whose pods this regexp selects, the way back of `podsOf`; `null` for any other regexp. */
export function appOfPattern(regexp: string): { app: string; controller: Controller } | null {
  for (const { controller, selected } of ADDED) {
    if (!regexp.endsWith(selected)) continue;
    const app = unquoteRegexp(regexp.slice(0, -selected.length));
    if (app !== null && app !== '') return { app, controller };
  }
  return null;
}

/** One selector for several: each name's values are alternatives. Names that one of the selections lacks or excludes by are left out, so that it
 * selects at least all of them. */
export function union(selections: readonly (readonly Matcher[])[]): Matcher[] {
  const [first = [], ...others] = selections;
  if (others.length === 0) return [...first];
  return first.flatMap(({ name }, place) => {
    const each = selections.map((matchers) => matchers.filter((matcher) => matcher.name === name));
    const isFirst = first.findIndex((matcher) => matcher.name === name) === place;
    if (!isFirst || each.some((matchers) => matchers.length !== 1 || isExcluding(matchers[0]!.op))) return [];
    const regexps = each.flatMap(([matcher]) => (matcher!.op === '=' ? [quoteRegexp(matcher!.value)] : splitAlternatives(matcher!.value)));
    const different = [...new Set(regexps)];
    const only = different.length === 1 ? unquoteRegexp(different[0]!) : null;
    return [only === null ? { name, op: '=~' as const, value: different.join('|') } : { name, op: '=' as const, value: only }];
  });
}
