// The LogQL editor: a text box with its colours behind it, the server's errors under the token they are about, and completion.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toServerError } from '../api/http';
import { checkQuery, placed } from '../api/loki';
import { detectedFields, labelNames, labelValues } from '../api/explore';
import { type Completion, completionsAt, type Known, opensCompletion } from '../logql/complete';
import { isMetric } from '../logql/any';
import type { ServerError } from '../model';
import { address } from '../state';
import { resolveRange } from '../time/range';
import { nowNs } from '../time/format';
import { ask, logql } from './asked';
import { Tokens, wrongAt } from './tokens';

/** How long the keys rest before the server is asked whether the query is right. */
const CHECK_MS = 300;
const ROWS_MAX = 8;
const SHOWN_MAX = 100;

const KNOWN: Known = {
  labels: labelNames,
  values: async (label) => (await labelValues(label)).map((value) => ({ value })),
  async fields(selector) {
    const { from, to } = address.peek();
    const found = await detectedFields(selector, resolveRange(from, to, nowNs()), AbortSignal.timeout(5_000));
    return found.map(({ name, parsers, kind }) => {
      const parser = parsers[0];
      return { name, type: kind, ...(parser === 'json' || parser === 'logfmt' ? { parser } : {}) };
    });
  },
};

const PAIRS: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']', '"': '"', '`': '`' };

export function Editor({ onClose }: { onClose: () => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const mirror = useRef<HTMLPreElement>(null);
  const [text, setText] = useState(address.peek().q === '' ? logql.peek() : address.peek().q);
  const [error, setError] = useState<ServerError | null>(null);
  const [shown, setShown] = useState<readonly Completion[]>([]);
  const [chosen, setChosen] = useState(0);
  const asked = useRef(0);

  useEffect(() => {
    area.current!.focus();
    area.current!.setSelectionRange(text.length, text.length);
  }, []);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      checkQuery(text, !isMetric(text), abort.signal).then(() => setError(null), (reason: unknown) => {
        if (!isAbort(reason) && !abort.signal.aborted) setError(placed(toServerError(reason)));
      });
    }, CHECK_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);

  const complete = async (value: string) => {
    asked.current += 1;
    const turn = asked.current;
    const found = await completionsAt(value, area.current!.selectionStart, KNOWN).catch(() => []);
    if (turn !== asked.current || area.current === null) return;
    setShown(found.slice(0, SHOWN_MAX));
    setChosen(0);
  };
  const hide = () => {
    asked.current += 1;
    setShown([]);
  };
  /** Replaces a piece of the text as typing does, so that undo takes it back. */
  const replace = (from: number, to: number, insert: string, caret: number) => {
    const box = area.current!;
    box.focus();
    box.setSelectionRange(from, to);
    if (insert === '' ? !document.execCommand('delete') : !document.execCommand('insertText', false, insert)) box.setRangeText(insert);
    box.setSelectionRange(caret, caret);
    setText(box.value);
  };
  const accept = (completion: Completion) => {
    hide();
    replace(completion.from, completion.to, completion.insert, completion.from + completion.caret);
    const box = area.current!;
    if (opensCompletion(box.value.slice(0, box.selectionStart))) void complete(box.value);
  };
  const run = () => {
    const wanted = text.trim();
    hide();
    ask(wanted);
    onClose();
  };
  const onInput = () => {
    const box = area.current!;
    setText(box.value);
    const before = box.value.slice(0, box.selectionStart);
    if (shown.length > 0 || opensCompletion(before)) void complete(box.value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const box = area.current!;
    const isOpen = shown.length > 0;
    const { key } = event;
    if (key === ' ' && event.ctrlKey) void complete(text);
    else if (isOpen && (key === 'ArrowDown' || key === 'ArrowUp')) setChosen((chosen + (key === 'ArrowDown' ? 1 : -1) + shown.length) % shown.length);
    else if (isOpen && (key === 'Tab' || key === 'Enter') && !event.shiftKey) accept(shown[chosen]!);
    else if (key === 'Escape') {
      if (isOpen) hide();
      else onClose();
    } else if (key === 'Enter' && !event.shiftKey) run();
    else if (PAIRS[key] !== undefined && !event.ctrlKey && !event.metaKey && box.selectionStart === box.selectionEnd
      && /^$|^[\s)\]},|]/.test(text.slice(box.selectionStart)) && !(PAIRS[key] === key && /[\w"`]$/.test(text.slice(0, box.selectionStart)))) {
      const at = box.selectionStart;
      replace(at, at, key + PAIRS[key], at + 1);
      if (opensCompletion(box.value.slice(0, at + 1))) void complete(box.value);
    } else if (/^[}\])"`]$/.test(key) && text[box.selectionStart] === key && box.selectionStart === box.selectionEnd) {
      // The second half of a pair that stands there already.
      box.setSelectionRange(box.selectionStart + 1, box.selectionStart + 1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const rows = Math.min(ROWS_MAX, text.split('\n').length);
  const wrong = wrongAt(text, error);
  return <div class="editor">
    <div class="editor-box">
      <pre ref={mirror} class="editor-mirror" aria-hidden="true"><Tokens text={text} wrong={wrong} />{'\n'}</pre>
      <textarea ref={area} class="editor-text" rows={rows} value={text} aria-label="LogQL query" spellcheck={false} autocomplete="off" autocapitalize="off"
        role="textbox" aria-multiline="true" aria-autocomplete="list" aria-controls={shown.length > 0 ? 'completions' : undefined}
        aria-activedescendant={shown.length > 0 ? `completion-${chosen}` : undefined} aria-invalid={error !== null} aria-describedby="editor-error"
        onInput={onInput} onKeyDown={onKeyDown} onBlur={hide}
        onScroll={() => (mirror.current!.scrollTop = area.current!.scrollTop)} />
      {shown.length > 0 && <Completions shown={shown} chosen={chosen} mirror={mirror.current!} error={error?.message} onAccept={accept} onFocus={() => area.current!.focus()} />}
    </div>
    <div class="editor-foot">
      <p id="editor-error" class="grow danger" role="status">{error?.message}</p>
      <span class="muted editor-keys"><kbd>Ctrl</kbd> <kbd>Space</kbd> completes</span>
      <button type="button" class="button small" onClick={onClose}>Cancel</button>
      <button type="button" class="button primary small" onClick={run}>Run</button>
    </div>
  </div>;
}

interface CompletionsProps {
  readonly shown: readonly Completion[];
  readonly chosen: number;
  readonly mirror: HTMLElement;
  /** What is wrong with the query: the list covers the place where it stands. */
  readonly error: string | undefined;
  readonly onAccept: (completion: Completion) => void;
  /** The text box keeps the focus. */
  readonly onFocus: () => void;
}

function Completions({ shown, chosen, mirror, error, onAccept, onFocus }: CompletionsProps) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = mirror.getBoundingClientRect();
    const at = placeOf(mirror, shown[0]!.from) ?? box;
    const width = list.current!.offsetWidth;
    list.current!.style.left = `${Math.max(0, Math.min(at.left - box.left, box.width - width))}px`;
    list.current!.style.top = `${at.bottom - box.top + 4}px`;
    list.current!.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  });
  return <div ref={list} class="completions"><ul id="completions" role="listbox" aria-label="Completions" tabIndex={0} onFocus={onFocus}>
    {shown.map((each, i) => <li key={`${each.kind} ${each.label}`} id={`completion-${i}`} role="option" aria-selected={i === chosen} class={`completion completion-${each.kind}`}
      onPointerDown={(event) => {
        event.preventDefault();
        onAccept(each);
      }}>
      <span class="completion-label">{each.label}</span>
      {each.detail !== undefined && <span class="muted clip">{each.detail}</span>}
      {each.example !== undefined && i === chosen && <code class="completion-example">{each.example}</code>}
    </li>)}
  </ul>{error !== undefined && <p class="danger" aria-hidden="true">{error}</p>}</div>;
}

/** Where a position of the text is on the screen. */
function placeOf(mirror: HTMLElement, position: number): DOMRect | undefined {
  const walker = document.createTreeWalker(mirror, NodeFilter.SHOW_TEXT);
  let rest = position;
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const length = node.textContent?.length ?? 0;
    if (rest <= length) {
      const range = document.createRange();
      range.setStart(node, rest);
      range.setEnd(node, rest);
      return range.getClientRects()[0] ?? range.getBoundingClientRect();
    }
    rest -= length;
  }
  return undefined;
}
