// The fields of a line: members of a JSON object or pairs of logfmt, in their order, and which of them is the message.
import { compact, type Json, parseJson, unescape } from './json';

/** Characters of a text that are searched for fields. */
export const FIELDS_CHARS_MAX = 1 << 20;
/** Fields of one line. */
const FIELDS_MAX = 1_000;

/** What usually holds the message, the best first. */
const MESSAGES = ['msg', 'message', 'log', 'event', 'error'];
/** Where traces stand that are apart from the message. */
const TRACES = /^(stack|stack_?trace|traceback|exc_info|exception|(error|err|exception)\.(stack|stack_?trace|stacktrace))$/i;

export interface Field {
  /** The keys down to the value. */
  readonly path: readonly string[];
  /** As it reads: numbers with all their digits, arrays as JSON. */
  readonly value: string;
  readonly kind: 'text' | 'number' | 'word' | 'array' | 'nested';
}

export interface Fields {
  /** `plain` is text with some pairs in it, or with none. */
  readonly kind: 'json' | 'logfmt' | 'plain';
  /** The field that holds the message. */
  readonly message?: Field;
  /** The field that holds a trace of several lines. */
  readonly trace?: Field;
  /** All of them, in their order. */
  readonly fields: readonly Field[];
}

const NONE: Fields = { kind: 'plain', fields: [] };

/** The fields of a line. */
export function readFields(text: string): Fields {
  if (FIELDS_CHARS_MAX < text.length) return NONE;
  if (/^\s*\{/.test(text)) {
    const json = parseJson(text);
    if (json?.kind === 'object') return withMessage('json', leaves(json, text));
  }
  if (!text.includes('=')) return NONE;
  const { fields, isWhole } = pairs(text);
  return isWhole ? withMessage('logfmt', fields) : { kind: 'plain', fields };
}

function withMessage(kind: 'json' | 'logfmt', fields: readonly Field[]): Fields {
  let message: Field | undefined;
  let best = MESSAGES.length;
  let trace: Field | undefined;
  for (const field of fields) {
    if (field.kind !== 'text' || field.value === '') continue;
    const name = field.path.join('.').toLowerCase();
    const rank = MESSAGES.indexOf(name);
    if (rank !== -1 && rank < best) {
      message = field;
      best = rank;
    }
    if (trace === undefined && field.value.includes('\n') && TRACES.test(name)) trace = field;
  }
  return { kind, fields, ...(message === undefined ? {} : { message }), ...(trace === undefined || trace === message ? {} : { trace }) };
}

/** The values of an object that are no objects themselves; empty objects count as values. */
function leaves(object: Json & { kind: 'object' }, source: string): Field[] {
  const found: Field[] = [];
  const visit = (value: Json, path: readonly string[]) => {
    if (FIELDS_MAX <= found.length) return;
    if (value.kind === 'object' && (value.members.length !== 0 || path.length === 0)) {
      for (const member of value.members) visit(member.value, [...path, member.key]);
    } else if (value.kind === 'object' || value.kind === 'array') {
      found.push({ path, value: compact(value, source), kind: 'array' });
    } else {
      found.push({ path, value: value.text, kind: value.kind });
    }
  };
  visit(object, []);
  return found;
}

/** What ends a key or a bare value of logfmt. */
const WORD_END = /[\0-\x20="]/g;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** The pairs of a text as the server's `| logfmt` reads them, and whether it consists of them alone: at least two, or one message. */
function pairs(text: string): { fields: Field[]; isWhole: boolean } {
  const fields: Field[] = [];
  let isWhole = true;
  let at = 0;
  const word = () => {
    WORD_END.lastIndex = at;
    const end = WORD_END.exec(text)?.index ?? text.length;
    const found = text.slice(at, end);
    at = end;
    return found;
  };
  const isAtEnd = () => !(0x20 < text.charCodeAt(at));
  while (at < text.length && fields.length < FIELDS_MAX) {
    if (isAtEnd()) {
      at += 1;
      continue;
    }
    const key = word();
    let value: string | undefined;
    let isQuoted = false;
    if (key !== '' && text[at] === '=') {
      at += 1;
      isQuoted = text[at] === '"';
      if (isQuoted) {
        const end = quoteEnd(text, at);
        // A quote that does not end takes the rest with it.
        if (end !== -1) value = text.slice(at + 1, end);
        at = end === -1 ? text.length : end + 1;
      } else {
        value = word();
      }
    }
    if (value !== undefined && isAtEnd()) {
      fields.push({ path: [key], value: isQuoted ? unescape(value) : value, kind: !isQuoted && NUMBER.test(value) ? 'number' : 'text' });
    } else {
      isWhole = false;
      while (!isAtEnd()) at += 1;
    }
  }
  const isEnough = 2 <= fields.length || MESSAGES.includes(fields[0]?.path[0]?.toLowerCase() ?? '');
  return { fields, isWhole: isWhole && isEnough };
}

/** Where the quoted value that begins at `at` ends; -1 if it does not. */
function quoteEnd(text: string, at: number): number {
  for (let index = at + 1; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x22) return index;
    if (code === 0x5c) index += 1;
  }
  return -1;
}
