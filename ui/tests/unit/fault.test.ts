// Where a regular expression is wrong, by the server's words: those that `src/logql/regexp.rs` and Rust's regex-syntax have.
import { expect, test } from 'vitest';
import { faultOf } from '../../src/logql/fault';

test('the place that the words are about', () => {
  const check = (pattern: string, message: string, expected: string) => {
    const [start, end] = faultOf(pattern, `error parsing regexp: ${message}: \`(?i)${pattern}\``);
    expect(`${pattern.slice(0, start)}«${pattern.slice(start, end)}»${pattern.slice(end)}`, pattern).toBe(expected);
  };
  check('timeout (after', 'unclosed group', 'timeout «(»after');
  check('(a) (b (c)', 'unclosed group', '(a) «(»b (c)');
  check('a\\(b(c', 'unclosed group', 'a\\(b«(»c');
  check('[(] (', 'unclosed group', '[(] «(»');
  check('a) b)', 'unopened group', 'a«)» b)');
  check('a[z-', 'missing closing ]', 'a«[»z-');
  check('[]a', 'missing closing ]', '«[»]a');
  check('[^]a] [b', 'missing closing ]', '[^]a] «[»b');
  check('ab\\', 'trailing backslash at end of expression', 'ab«\\»');
  check('\\d\\y', 'invalid escape sequence: `\\y`', '\\d«\\y»');
  check('x(?=y)', 'invalid or unsupported Perl syntax: `(?=y`', 'x«(?=y»)');
  check('a{1,2} b{3,2}', 'invalid repetition count range, the start must be <= the end', 'a{1,2} b«{3,2}»');
  check('a|*b', 'repetition operator missing expression', 'a|«*»b');
  check('+', 'repetition operator missing expression', '«+»');
  check('a{2', 'unclosed counted repetition', 'a«{»2');
  check('anything', 'something new', '«anything»');
});
