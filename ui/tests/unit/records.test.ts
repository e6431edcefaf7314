// Records that arrive in pieces, and answers that are none.
import { describe, expect, it } from 'vitest';
import { Decoder, type Entry } from '../../src/api/records';
import { ServerError } from '../../src/model';
import { seeded } from './random';

const ANSWER = [
  '{"begin":{"query":"{a=\\"b\\"}","start":"1","end":"9","now":"1796035650000000000","version":"0.1.0","instance":"5f1c"}}',
  '{"stream":{"s":0,"id":"3f2a9c81d4e07b55","labels":{"path":"/var/log/app.log","__proto__":"x"},"service":"app"}}',
  '[0,"1796035647732000001",7,"9a3c01fe","error","order 8812 failed: \\"timeout\\"\\nsecond line"]',
  '{"gap":{"s":0,"time":"1796035648000000000","bytes":[8192,9396],"reason":"truncated"}}',
  '{"later":{"unknown":true}}',
  '[0,"1796035647732000002",0,"11d20c77","notice","größer 数 🚀",{"metadata":{"trace_id":"9ac1"},"parsed":{"status":"500"}}]',
  '{"missed":{"lines":1312,"after":"a","before":"b"}}',
  '{"seen":{"back_to":"1796030000000000000","bytes":3100000000,"lines":31000000}}',
  '{"end":{"reason":"limit","first":"a","last":"b","unreadable_parts":2,"seconds":0.012}}',
].map((record) => `${record}\n`).join('');

function decoded(pieces: string[]) {
  const decoder = new Decoder();
  const all = pieces.map((piece) => decoder.push(piece));
  return {
    entries: all.flatMap(({ entries }): Entry[] => entries),
    begin: all.find(({ begin }) => begin)?.begin,
    seen: all.find(({ seen }) => seen)?.seen,
    end: all.find(({ end }) => end)?.end,
  };
}

describe('Decoder', () => {
  it('reads all records, whatever pieces they come in', () => {
    const whole = decoded([ANSWER]);
    const [first, loss, second, missed] = whole.entries;
    const stream = { id: '3f2a9c81d4e07b55', labels: new Map([['path', '/var/log/app.log'], ['__proto__', 'x']]), service: 'app' };
    expect(first).toEqual({
      stream, time: 1_796_035_647_732_000_001n, n: 7, check: '9a3c01fe', level: 'error', text: 'order 8812 failed: "timeout"\nsecond line',
    });
    expect(second).toEqual({
      stream, time: 1_796_035_647_732_000_002n, n: 0, check: '11d20c77', level: 'unknown', text: 'größer 数 🚀', metadata: new Map([['trace_id', '9ac1']]),
      parsed: new Map([['status', '500']]),
    });
    expect(loss).toEqual({ kind: 'loss', stream, time: 1_796_035_648_000_000_000n, bytes: [8192, 9396], reason: 'truncated' });
    expect(missed).toEqual({ kind: 'gap', lines: 1312, after: 'a', before: 'b', reason: 'missed' });
    expect(whole.begin).toEqual({ query: '{a="b"}', start: 1n, end: 9n, now: 1_796_035_650_000_000_000n, version: '0.1.0', instance: '5f1c' });
    expect(whole.seen).toEqual({ backTo: 1_796_030_000_000_000_000n, bytes: 3_100_000_000, lines: 31_000_000 });
    expect(whole.end).toEqual({ reason: 'limit', first: 'a', last: 'b', unreadableParts: 2, seconds: 0.012 });
    const next = seeded(3);
    for (let run = 0; run < 200; run += 1) {
      const pieces: string[] = [];
      for (let at = 0; at < ANSWER.length;) {
        const to = at + 1 + Math.floor(next() * 200);
        pieces.push(ANSWER.slice(at, to));
        at = to;
      }
      expect(decoded(pieces)).toEqual(whole);
    }
  });

  it('reads what happened between lines', () => {
    const { entries } = decoded(['{"rotated":{"s":0,"time":"7"}}\n{"started":{"time":"8"}}\n{"started":{}}\n']);
    expect(entries).toEqual([{ kind: 'rotated', time: 7n }, { kind: 'started', time: 8n }]);
  });

  it('leaves the prototype of objects alone', () => {
    decoded([ANSWER]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('never shows half a record', () => {
    const end = ANSWER.indexOf('second line');
    expect(decoded([ANSWER.slice(0, end)]).entries).toEqual([]);
  });

  it('refuses what is no record, and says what the server says', () => {
    const check = (text: string, message: RegExp, status = 0): void => {
      let error: unknown;
      try {
        new Decoder().push(text);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(ServerError);
      expect((error as ServerError).message).toMatch(message);
      expect((error as ServerError).status).toBe(status);
    };
    check('<!doctype html>\n', /no record/);
    check('{"a":1\n', /no record/);
    check('[0,"1",0,"00000000","info","a line of no stream"]\n', /no record/);
    check('{"error":{"status":500,"message":"part 7 cannot be read"}}\n', /part 7 cannot be read/, 500);
  });

  it('passes over values that are no records', () => {
    expect(decoded(['1\nnull\n"x"\n{}\n{"gap":{"s":9}}\n']).entries).toEqual([]);
  });
});
