// The tags of streams in an answer: a short name, and one of eight hues that follows from the stream's id, so that it is the same in every view.
import { appOfPod } from '../logql/apps';
import type { Stream } from '../model';
import { visible } from '../text/controls';

const HUES = 8;
/** Characters of a pod's own part of its name that tell it from the others. */
const POD_CHARACTERS = 2;

export interface StreamTag {
  readonly text: string;
  readonly hue: number;
}

/** `checkout-7d` of a pod, `app.log` of a file, or the service. */
export function shortName({ labels, service }: Pick<Stream, 'labels' | 'service'>): string {
  const pod = labels.get('pod');
  if (pod !== undefined) {
    const { app } = appOfPod(pod);
    const own = pod.slice(app.length + 1).split('-').pop() ?? '';
    return own === '' ? pod : `${app}-${own.slice(0, POD_CHARACTERS)}`;
  }
  const path = labels.get('path');
  return path === undefined ? service : path.slice(path.lastIndexOf('/') + 1) || service;
}

/** Gives streams their tags. Of two that come one after the other with one hue the second takes the next, and keeps it. */
export class StreamTags {
  private readonly tags = new Map<string, StreamTag>();
  private last = -1;

  of(stream: Stream): StreamTag {
    const known = this.tags.get(stream.id);
    if (known !== undefined) return known;
    let hue = (Number.parseInt(stream.id.slice(-4), 16) || 0) % HUES;
    if (hue === this.last && this.tags.size < HUES) hue = (hue + 1) % HUES;
    this.last = hue;
    const tag = { text: visible(shortName(stream)), hue };
    this.tags.set(stream.id, tag);
    return tag;
  }
}
