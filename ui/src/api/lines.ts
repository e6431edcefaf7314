// `GET api/v1/lines`: lines in their exact order as they are found, and links that download them.
import { toServerError, isAbort, queued, request, type Priority } from './http';
import { noteInstance } from './instance';
import { Decoder, type End, type Records } from './records';
import { apiUrl } from '../route';

/** Times are RFC 3339, nanoseconds or `15m`; ids are exclusive but `around`. */
export interface LinesParams {
  /** LogQL; all lines without it. */
  query?: string;
  start?: string;
  end?: string;
  direction?: 'forward' | 'backward';
  limit?: number;
  after?: string;
  before?: string;
  around?: string;
  before_count?: number;
  after_count?: number;
}

export interface DownloadParams extends LinesParams {
  format: 'text' | 'jsonl' | 'raw';
  /** Name of the file. */
  download: string;
  times?: 'none' | 'zone' | 'utc';
  zone?: string;
  streams?: '0' | '1';
}

const CUT: End = { reason: 'cut', first: undefined, last: undefined, unreadableParts: 0, seconds: 0 };

/** Asks for lines and hands over each piece as it comes, in the order of `direction`. An answer that was cut ends with the reason `cut`. */
export async function fetchLines(
  params: LinesParams, signal: AbortSignal, on: (records: Records) => void, priority: Priority = 'lines',
): Promise<End> {
  return queued(priority, signal, async () => {
    const response = await request(apiUrl('api/v1/lines', toStrings(params)), signal);
    const decoder = new Decoder();
    let end: End | undefined;
    const take = (piece: string): void => {
      const records = decoder.push(piece);
      if (records.begin !== undefined) noteInstance(records.begin.instance);
      end = records.end ?? end;
      on(records);
    };
    await readText(response, signal, take);
    return end ?? CUT;
  }).catch((error: unknown) => {
    throw isAbort(error) || signal.aborted ? error : toServerError(error);
  });
}

/** Hands over the text of a body as it comes. A connection that breaks ends it: what came is worth keeping. */
async function readText(response: Response, signal: AbortSignal, take: (piece: string) => void): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  for (;;) {
    let chunk: ReadableStreamReadResult<Uint8Array>;
    try {
      chunk = await reader.read();
    } catch (error) {
      if (signal.aborted) throw error;
      return;
    }
    if (chunk.done) return;
    take(decoder.decode(chunk.value, { stream: true }));
  }
}

/** The URL that a browser downloads the lines from, without a limit. */
export function downloadUrl(params: DownloadParams): string {
  return apiUrl('api/v1/lines', toStrings(params));
}

function toStrings(params: object): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value === undefined ? undefined : String(value)]));
}
