// Requests to the agent: decodes its errors, tells its answers from a proxy's, waits where it is busy, and keeps to two requests at a time.
import { signal } from '@preact/signals';
import { ServerError } from '../model';

/** What a request is for, the most urgent first. */
export type Priority = 'lines' | 'total' | 'fields' | 'levels' | 'counts';
const PRIORITIES: readonly Priority[] = ['lines', 'total', 'fields', 'levels', 'counts'];

/** The server answers four queries at a time for everybody: one page takes half of it at most. */
const RUNNING_MAX = 2;
/** Pauses after "too many requests", in ms; then the person decides. */
const BUSY_PAUSES_MS = [1000, 2000, 4000];
/** Longest text of an error that is shown. */
const ERROR_LENGTH_MAX = 4096;

/** What the page waits for while the server is busy: its words, and when it is asked again in ms since the epoch. */
export const busy = signal<Busy | null>(null);
interface Busy { message: string; until: number }
/** What each request waits for that was refused. */
const pauses = new Map<object, Busy>();

function pause(of: object, next: Busy | null): void {
  if (next === null) pauses.delete(of);
  else pauses.set(of, next);
  busy.value = [...pauses.values()].at(-1) ?? null;
}

/** Says that the line asked for is not kept any more. */
export class GoneError extends ServerError {
  constructor(
    message: string,
    /** Nanoseconds of the oldest line kept, if any is. */
    readonly oldest: bigint | undefined,
    /** The id of the line that is nearest in time. */
    readonly nearest: string | undefined,
  ) {
    super(410, message);
  }
}

/** Whether the error says that the request was given up on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

/** Any error as one with words for a person. */
export function toServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError(0, error instanceof Error && !(error instanceof TypeError) ? error.message : 'The agent cannot be reached.');
}

/** Asks, and waits where the server is busy. Throws a `ServerError` where the answer is no success or not the agent's. */
export async function request(url: string, signal: AbortSignal): Promise<Response> {
  const own = {};
  try {
    for (let attempt = 0; ; attempt += 1) {
      const response = await once(url, signal);
      if (response.ok) return response;
      if (response.status === 401) logIn();
      const error = await decodeError(response);
      const ms = BUSY_PAUSES_MS[attempt];
      if (response.status !== 429 || ms === undefined) throw error;
      pause(own, { message: error.message, until: Date.now() + ms });
      await wait(ms, signal);
    }
  } finally {
    pause(own, null);
  }
}

/** Leads to the form where people say who they are, and back here afterwards. */
function logIn(): void {
  const here = location.pathname.replace(/^.*\/ui\//, '/ui/') + location.search;
  location.assign(`../login?next=${encodeURIComponent(here)}`);
}

/** Ends the session. */
export async function logOut(): Promise<void> {
  await fetch('../logout', { method: 'POST', redirect: 'manual', credentials: 'same-origin' });
  location.assign('../login');
}

async function once(url: string, signal: AbortSignal): Promise<Response> {
  try {
    // A redirect leads to a login page of a proxy: the agent never sends one here.
    const response = await fetch(url, { signal, redirect: 'manual', credentials: 'same-origin' });
    const isHtml = /^text\/html/i.test(response.headers.get('content-type') ?? '');
    if (response.type === 'opaqueredirect' || isHtml) {
      throw new ServerError(response.status, 'A proxy answered instead of the agent; its session may have ended.', undefined, true);
    }
    return response;
  } catch (error) {
    if (isAbort(error) || signal.aborted) throw error;
    throw toServerError(error);
  }
}

/** Asks for one JSON document. */
export async function getJson<T>(url: string, signal: AbortSignal): Promise<T> {
  const response = await request(url, signal);
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAbort(error) || signal.aborted) throw error;
    throw new ServerError(response.status, 'The answer of the agent was cut or is not JSON.');
  }
}

interface ErrorAnswer { error?: unknown; message?: unknown; at?: { line?: unknown; column?: unknown }; oldest?: unknown; nearest?: unknown }

/** What the server says went wrong: `{"error": …}`, or its plain text. */
export async function decodeError(response: Response): Promise<ServerError> {
  const text = (await response.text().catch(() => '')).slice(0, ERROR_LENGTH_MAX).trim();
  let answer: ErrorAnswer = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) answer = value;
  } catch {
    // Not every error is JSON: those of the connection are plain text.
  }
  const named = [answer.error, answer.message, text].find((candidate) => typeof candidate === 'string' && candidate !== '');
  const message = typeof named === 'string' ? named : `The agent answered with status ${response.status}.`;
  if (response.status === 410) {
    const oldest = typeof answer.oldest === 'string' && /^\d+$/.test(answer.oldest) ? BigInt(answer.oldest) : undefined;
    return new GoneError(message, oldest, typeof answer.nearest === 'string' ? answer.nearest : undefined);
  }
  const { line, column } = answer.at ?? {};
  const at = typeof line === 'number' && typeof column === 'number' ? { line, column } : undefined;
  return new ServerError(response.status, message, at);
}

interface Waiting { priority: number; start(): void }
const waiting: Waiting[] = [];
let running = 0;

/** Runs `run` when fewer than two requests run and nothing more urgent waits. Rejects with the signal's reason if that comes first. */
export function queued<T>(priority: Priority, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const entry: Waiting = {
      priority: PRIORITIES.indexOf(priority),
      start() {
        signal.removeEventListener('abort', giveUp);
        running += 1;
        run().then(resolve, reject).finally(() => {
          running -= 1;
          startNext();
        });
      },
    };
    function giveUp(): void {
      const index = waiting.indexOf(entry);
      if (index >= 0) waiting.splice(index, 1);
      reject(signal.reason);
    }
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    signal.addEventListener('abort', giveUp, { once: true });
    // Of the same urgency the one that came first.
    const index = waiting.findIndex((other) => other.priority > entry.priority);
    waiting.splice(index < 0 ? waiting.length : index, 0, entry);
    startNext();
  });
}

function startNext(): void {
  while (running < RUNNING_MAX && waiting.length > 0) waiting.shift()?.start();
}

/** Asks for one JSON document within `ms`. Then the request is taken back, which ends the work for it: a time-out of the server's would be an error in the browser's log. */
export async function getJsonWithin<T>(ms: number, url: string, signal: AbortSignal): Promise<T> {
  const own = new AbortController();
  const giveUp = () => own.abort(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(() => own.abort(), ms);
  try {
    return await getJson<T>(url, own.signal);
  } catch (error) {
    if (!own.signal.aborted || signal.aborted) throw error;
    throw new ServerError(504, `There was no answer within ${ms / 1000} s.`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

/** Resolves after `ms`, or rejects with the signal's reason. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    }, ms);
    function giveUp(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal.addEventListener('abort', giveUp, { once: true });
  });
}
