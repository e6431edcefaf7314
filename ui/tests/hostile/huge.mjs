// Hostile lines too large to be kept as files, and bytes that are no text. The small ones are in lines.jsonl.
const MEBIBYTE = 1 << 20;
const ESC = '\x1b';

/** Name and text of each. */
export function hugeLines() {
  return [
    ['a line of 1 MiB without blanks', 'x'.repeat(MEBIBYTE)],
    ['a line of 1 MiB of blanks', ' '.repeat(MEBIBYTE)],
    ['10,000 changes of colour', Array.from({ length: 10_000 }, (_, index) => `${ESC}[38;5;${index % 256}m${index % 10}`).join('')],
    ['10,000 changes of 24-bit colour', Array.from({ length: 10_000 }, (_, index) => `${ESC}[38;2;${index % 256};${(index * 7) % 256};${(index * 13) % 256}mx`).join('')],
    ['100,000 nested brackets', `{"msg":"deep","a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['100,000 brackets that do not close', `{"a":${'['.repeat(100_000)}`],
    ['100,000 nested objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['a key of 1 MiB', `{"${'k'.repeat(MEBIBYTE)}":1}`],
    ['a value of 1 MiB', `{"msg":"${'v'.repeat(MEBIBYTE)}"}`],
    ['100,000 members', `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`],
    ['100,000 pairs', Array.from({ length: 100_000 }, (_, index) => `k${index}=${index}`).join(' ')],
    ['quotes that do not end', 'a="'.repeat(300_000)],
    ['backslashes', `a="${'\\'.repeat(MEBIBYTE)}`],
    ['terminal strings that do not end', `${ESC}]`.repeat(500_000)],
    ['control sequences that do not end', `${ESC}[`.repeat(500_000)],
    ['parameters of 1 MiB', `${ESC}[${'1;'.repeat(MEBIBYTE / 2)}mx`],
    ['combining marks', `a${'\u0301'.repeat(500_000)}`],
    ['joined people', '\u{1f468}\u200d'.repeat(100_000)],
    ['directions', '\u202e'.repeat(500_000)],
    ['carriage returns', '\r'.repeat(500_000)],
    ['tabs', '\t'.repeat(500_000)],
    ['an entry of 100,000 lines', 'at x.y(z.js:1)\n'.repeat(100_000)],
    ['links', 'http://a.example/ '.repeat(50_000)],
    ['brackets behind a link', `http://a.example/${')'.repeat(500_000)}`],
  ];
}

/** What is no UTF-8: a lone continuation, an overlong form, a surrogate, a cut character. */
export const BYTES = [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff, 0xfe], [0x61, 0xe2, 0x82]].map((bytes) => Buffer.from(bytes));
