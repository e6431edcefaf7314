// Which lines belong together, and which of a trace tells most.
import { describe, expect, it } from 'vitest';
import { isContinuation, sameButNumbers, telling } from '../../src/text/fold';

describe('sameButNumbers', () => {
  const check = (a: string, b: string, expected: boolean) => it(`${a} / ${b}`, () => {
    expect(sameButNumbers(a, b)).toBe(expected);
    expect(sameButNumbers(b, a)).toBe(expected);
  });
  check('', '', true);
  check('retry 2 of 5', 'retry 13 of 5', true);
  check('retry 2 of 5', 'retry of 5', false);
  check('took 12ms', 'took 1.5ms', false);
  check('a1', 'a', false);
  check('same', 'same', true);
  check('same', 'Same', false);
  check('x9', 'x10', true);
});

describe('isContinuation', () => {
  const check = (text: string, expected: boolean) => it(JSON.stringify(text), () => expect(isContinuation(text)).toBe(expected));
  check('  at pay.Charge (pay.go:88)', true);
  check('\tindented', true);
  check('at java.lang.Thread.run', true);
  check('Caused by: java.io.IOException', true);
  check('... 23 more', true);
  check('Traceback (most recent call last):', true);
  check('attention', false);
  check('order failed', false);
  check('   ', false);
  check('', false);
});

describe('telling', () => {
  const check = (name: string, lines: string[], expected: string) => it(name, () => expect(lines[telling(lines)]?.trim()).toBe(expected));
  check('Java: the last cause', [
    'java.lang.IllegalStateException: order failed', '\tat com.shop.Order.pay(Order.java:88)', '\t... 3 more',
    'Caused by: java.io.IOException: reset', '\tat java.net.Socket.read(Socket.java:1)',
    'Caused by: java.net.SocketException: Connection reset', '\tat sun.nio.ch.Net.poll(Net.java:1)', '\t... 12 more',
  ], 'Caused by: java.net.SocketException: Connection reset');
  check('Java: the first frame of the program', [
    'java.lang.NullPointerException', '\tat java.util.Objects.requireNonNull(Objects.java:233)', '\tat com.shop.Order.pay(Order.java:88)', '\tat com.shop.Main.main(Main.java:3)',
  ], 'at com.shop.Order.pay(Order.java:88)');
  check('Node', [
    'TypeError: x is undefined', '    at internalFn (node:internal/process:12:3)', '    at /app/node_modules/express/lib/router.js:144:13', '    at charge (/app/pay.js:88:7)',
  ], 'at charge (/app/pay.js:88:7)');
  check('Python: the fault is last', [
    'Traceback (most recent call last):', '  File "/app/pay.py", line 88, in charge', '    raise ValueError("no card")', 'ValueError: no card',
  ], 'ValueError: no card');
  check('Python behind a message', [
    'ERROR payment failed', 'Traceback (most recent call last):', '  File "/app/pay.py", line 88, in charge', 'ValueError: no card',
  ], 'ValueError: no card');
  check('Go', [
    'panic: no card', '', 'goroutine 1 [running]:', 'runtime.gopanic(0x1)', '\t/usr/local/go/src/runtime/panic.go:914', 'main.charge(...)', '\t/app/pay.go:88 +0x1d',
  ], 'main.charge(...)');
  check('no trace at all', ['usage:', '  one', '  two'], 'one');
  check('blank lines first', ['a', '', '  b'], 'b');
});
