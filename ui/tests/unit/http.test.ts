// Requests that the agent has no time for: what is said while they wait.
import { afterEach, expect, test, vi } from 'vitest';
import { busy, getJsonWithin, request } from '../../src/api/http';
import { ServerError } from '../../src/model';

afterEach(() => vi.unstubAllGlobals());

const never = () => new AbortController().signal;

test('what one request waits for is said until it has its answer, whatever others get meanwhile', async () => {
  let refused = 0;
  vi.stubGlobal('fetch', async (url: string) => {
    if (url === 'free' || refused > 0) return new Response('{}');
    refused += 1;
    return new Response('{"error":"too many outstanding requests"}', { status: 429 });
  });
  const waiting = request('taken', never());
  await vi.waitFor(() => expect(busy.value?.message).toBe('too many outstanding requests'));
  await request('free', never());
  expect(busy.value?.message).toBe('too many outstanding requests');
  await waiting;
  expect(busy.value).toBeNull();
});

test('an answer that takes too long is an error, one that is not wanted any more is none', async () => {
  const signals: AbortSignal[] = [];
  vi.stubGlobal('fetch', (_: string, { signal }: { signal: AbortSignal }) => new Promise((_resolve, reject) => {
    signals.push(signal);
    signal.addEventListener('abort', () => reject(signal.reason));
  }));
  const late = await getJsonWithin(20, 'slow', never()).catch((error: unknown) => error);
  expect(late).toBeInstanceOf(ServerError);
  expect((late as ServerError).status).toBe(504);
  expect(signals[0]!.aborted).toBe(true);
  const abort = new AbortController();
  const given = getJsonWithin(10_000, 'slow', abort.signal).catch((error: unknown) => error);
  abort.abort();
  expect((await given as Error).name).toBe('AbortError');
});
