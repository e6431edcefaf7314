// Fields are read as they are written: digits, order, doubled keys and hostile names stay what they are.
import { describe, expect, it } from 'vitest';
import { type Fields, readFields } from '../../src/text/fields';
import { compact, parseJson, pretty } from '../../src/text/json';

const shown = ({ kind, message, fields }: Fields) => [kind, message?.value, ...fields.map(({ path, value }) => `${path.join('/')}:${value}`)];

describe('readFields', () => {
  const check = (text: string, expected: (string | undefined)[]) => it(text.slice(0, 70), () => expect(shown(readFields(text))).toEqual(expected));
  check('order failed', ['plain', undefined]);
  check('{"msg":"a","n":12345678901234567890.10}', ['json', 'a', 'msg:a', 'n:12345678901234567890.10']);
  check('{"message":"a","msg":"b"}', ['json', 'b', 'message:a', 'msg:b']);
  check('{"a":{"b":{"c":1}},"d":[1, {"x": 2}],"e":{},"f":null}', ['json', undefined, 'a/b/c:1', 'd:[1,{"x":2}]', 'e:{}', 'f:null']);
  check('{"__proto__":{"x":1},"constructor":"y","toString":2}', ['json', undefined, '__proto__/x:1', 'constructor:y', 'toString:2']);
  check('{"a":1,"a":2}', ['json', undefined, 'a:1', 'a:2']);
  check('{"a":"\\u00e4\\n\\"\\\\\\ud83d\\ude00\\q"}', ['json', undefined, 'a:ä\n"\\😀\\q']);
  check('  {"a" : true , "b" : NaN}  ', ['json', undefined, 'a:true', 'b:NaN']);
  check('{"a":1} trailing', ['plain', undefined]);
  check('{"a":1', ['plain', undefined]);
  check('{a:1}', ['plain', undefined]);
  check('{}', ['json', undefined]);
  check('[1,2]', ['plain', undefined]);
  check('level=info msg="a b" n=1', ['logfmt', 'a b', 'level:info', 'msg:a b', 'n:1']);
  check('msg="quote \\" and \\n"', ['logfmt', 'quote " and \n', 'msg:quote " and \n']);
  check('a=1', ['plain', undefined, 'a:1']);
  check('retry order=8812 status=504 failed', ['plain', undefined, 'order:8812', 'status:504']);
  check('GET /x?a=1&b=2', ['plain', undefined]);
  check('a="never ends b=2', ['plain', undefined]);
  check('a= b=', ['logfmt', undefined, 'a:', 'b:']);
  check('a==b =c', ['plain', undefined]);

  it('takes what is too deep as text', () => {
    const depth = 100_000;
    const text = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(readFields(text).fields[0]?.value.length).toBe(2 * depth);
  });
  it('does not take brackets that do not close for JSON', () => expect(readFields(`{"a":${'['.repeat(100_000)}`).kind).toBe('plain'));
  it('takes linear time for long words and open quotes', () => {
    const started = performance.now();
    readFields(`${'x'.repeat(500_000)} =`);
    readFields('a="'.repeat(300_000));
    readFields(`a="${'\\'.repeat(900_000)}`);
    readFields(`{"${'k'.repeat(900_000)}":1}`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
  it('says where a trace stands', () => {
    const { message, trace } = readFields('{"msg":"failed","error":{"stack":"Error: x\\n    at a (b.js:1:2)"}}');
    expect([message?.value, trace?.path]).toEqual(['failed', ['error', 'stack']]);
  });
});

describe('pretty', () => {
  it('keeps every digit and the order', () => {
    const text = '{"b":1.50,"a":[true,{"c":"x\\ty"}],"e":{},"f":[]}';
    const json = parseJson(text)!;
    expect(pretty(json, text).map((piece) => piece.text).join('')).toBe('{\n  "b": 1.50,\n  "a": [\n    true,\n    {\n      "c": "x\\ty"\n    }\n  ],\n  "e": {},\n  "f": []\n}');
    expect(compact(json, text)).toBe(text);
  });
});
