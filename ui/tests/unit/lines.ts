// Makes lines for tests.
import { type Level, type Line, type Stream } from '../../src/model';

export const STREAM: Stream = { id: '3f2a9c81d4e07b55', labels: new Map([['path', '/var/log/app.log']]), service: 'app' };

/** 2026-11-30 10:12:04.003 UTC. */
export const TIME = 1_796_033_524_003_000_000n;

export function line(text: string, change: { time?: bigint; level?: Level } = {}): Line {
  return { stream: STREAM, time: TIME, n: 0, check: '00000000', level: 'unknown', text, ...change };
}
