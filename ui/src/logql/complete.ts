// Completion in the LogQL editor: what may come next at the caret.

/** What the server knows, each fetched when needed and kept by the caller. */
export interface Known {
  labels(): Promise<readonly string[]>;
  values(label: string): Promise<readonly { readonly value: string; readonly count?: number }[]>;
  /** Fields of the newest lines of this selector. */
  fields(selector: string): Promise<readonly { readonly name: string; readonly parser?: 'json' | 'logfmt'; readonly type?: string }[]>;
}

export interface Completion {
  /** What is shown and matched. */
  readonly label: string;
  /** Replaces `text.slice(from, to)`. */
  readonly insert: string;
  readonly from: number;
  readonly to: number;
  /** Where the caret goes, counted from `from`. */
  readonly caret: number;
  readonly kind: 'label' | 'value' | 'operator' | 'parser' | 'field' | 'function' | 'keyword' | 'duration';
  /** One line on what it does, or a count. */
  readonly detail?: string;
  readonly example?: string;
}

/** What may come at the caret, the best first; empty where nothing is known. */
export async function completionsAt(_text: string, _caret: number, _known: Known): Promise<Completion[]> {
  return [];
}

/** Whether typing this character opens the list. */
export function opensCompletion(textBefore: string): boolean {
  return /(?:[{,=|([~]|by \()\s?$/.test(textBefore);
}
