// Web addresses become links, and nothing else does.
import { describe, expect, it } from 'vitest';
import { findLinks } from '../../src/text/links';

describe('findLinks', () => {
  const check = (text: string, expected: string[]) => it(text.slice(0, 60), () => expect(findLinks(text).map(({ start, end }) => text.slice(start, end))).toEqual(expected));
  check('none', []);
  check('see https://example.com/a?b=1#c.', ['https://example.com/a?b=1#c']);
  check('GET http://a:8000/x, then http://b/', ['http://a:8000/x', 'http://b/']);
  check('(http://example.com/a_(b))', ['http://example.com/a_(b)']);
  check('[http://example.com]', ['http://example.com']);
  check('"http://example.com"', ['http://example.com']);
  check('<http://example.com>', ['http://example.com']);
  check('HTTPS://EXAMPLE.COM', ['HTTPS://EXAMPLE.COM']);
  check('http://[::1]:8000/', ['http://[::1]:8000/']);
  check('javascript:alert(1) file:///etc/passwd data:text/html,x ftp://x/ xhttp://y', []);
  check('https://bank.example@evil.example/', []);
  check('http://', []);
  check('http:///x', []);
  check('https://a.example/\u202egnp', ['https://a.example/']);
  check(`http://a/${'x'.repeat(3000)}`, []);
});
