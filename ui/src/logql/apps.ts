// Apps of Kubernetes: an app is a pod's name without what its controller adds, and a selector for it includes its pods to come.
import type { Matcher } from './query';

export type Controller = 'deployment' | 'daemonset' | 'statefulset' | 'job' | 'pod';

/** The app a pod belongs to, and the kind of controller its name shows. */
export function appOfPod(pod: string): { app: string; controller: Controller } {
  return { app: pod, controller: 'pod' };
}

/** Regexp of the names that the app's pods have and will have. */
export function podsOf(app: string, _controller: Controller): string {
  return app;
}

/** The matchers of an app: `{namespace="shop", pod=~"api-[a-z0-9]+-[a-z0-9]{5}"}`. */
export function appMatchers(namespace: string, app: string, controller: Controller): Matcher[] {
  return [{ name: 'namespace', op: '=', value: namespace }, { name: 'pod', op: '=~', value: podsOf(app, controller) }];
}

/** The app whose pods this regexp selects, the way back of `podsOf`; `null` for any other regexp. */
export function appOfPattern(_regexp: string): { app: string; controller: Controller } | null {
  return null;
}

/** One selector for several: each name's values are alternatives. Names that one of them lacks are left out. */
export function union(_selections: readonly (readonly Matcher[])[]): Matcher[] {
  return [];
}
