// Completion in the LogQL editor: what may come next at the caret. It looks at the tokens in front of it, never at a whole parse, since what is
// being written is not whole.
import { selectorOf } from './any';
import { quoteValue } from './build';
import { COMPARISONS, CONVERSIONS, LINE_FILTERS, MATCHERS, RANGE_FUNCTIONS, STAGES, VECTOR_FUNCTIONS, WINDOWS, type Word } from './functions';
import { LEVEL_LABEL, RISING_LEVELS } from './levels';
import { lex, unquote, type Token } from './lexer';
import { quoteRegexp } from './values';

/** What the server knows, each fetched when needed and kept by the caller. */
export interface Known {
  labels(): Promise<readonly string[]>;
  values(label: string): Promise<readonly { readonly value: string; readonly count?: number }[]>;
  /** Fields of the newest lines of this selector. */
  fields(selector: string): Promise<readonly { readonly name: string; readonly parser?: 'json' | 'logfmt'; readonly type?: string }[]>;
}

export interface Completion {
  /** What is shown and matched. */
  readonly label: string;
  /** Replaces `text.slice(from, to)`. */
  readonly insert: string;
  readonly from: number;
  readonly to: number;
  /** Where the caret goes, counted from `from`. */
  readonly caret: number;
  readonly kind: 'label' | 'value' | 'operator' | 'parser' | 'field' | 'function' | 'keyword' | 'duration';
  /** One line on what it does, or a count. */
  readonly detail?: string;
  readonly example?: string;
}

/** Most entries of a list. */
const COMPLETIONS_MAX = 100;

/** An entry before it is matched with what is typed: the caret goes where `¦` stands in `insert` (but in a value), or to its end. */
interface Entry {
  readonly label: string;
  readonly insert: string;
  readonly kind: Completion['kind'];
  readonly detail?: string;
  readonly example?: string;
}

/** What the caret is in: the part of a token that is typed so far and gets replaced, and the texts of the tokens in front of it. */
interface Place {
  readonly before: readonly string[];
  readonly typed: string;
  readonly from: number;
  readonly to: number;
  /** The quote that the caret is behind, if it is within a string. */
  readonly quote: '"' | '`' | '';
  readonly selector: string;
  readonly hasParser: boolean;
  /** What comes behind the caret. */
  readonly next: string;
}

/** What may come at the caret, the best first; empty where nothing is known. */
export async function completionsAt(text: string, caret: number, known: Known): Promise<Completion[]> {
  const place = placeOf(text, caret);
  if (place === null) return [];
  const entries = await entriesAt(place, known);
  return rank(entries, place.typed).slice(0, COMPLETIONS_MAX).map(({ insert, ...entry }) => {
    const mark = entry.kind === 'value' ? -1 : insert.indexOf('¦');
    return { ...entry, insert: mark < 0 ? insert : insert.replace('¦', ''), from: place.from, to: place.to, caret: mark < 0 ? insert.length : mark };
  });
}

/** Whether the list opens at the end of this text: behind what asks for something, and in the word that answers it. */
export function opensCompletion(textBefore: string): boolean {
  return /(?:[{,([~>]|[^|]\||=|\b(?:by|without|unwrap|drop|keep) )\s?["`]?[\w./-]*$/.test(textBefore);
}

function placeOf(text: string, caret: number): Place | null {
  const tokens = lex(text);
  const at = tokens.findIndex(({ start, end }) => start < caret && caret <= end);
  const token = tokens[at];
  if (token?.kind === 'comment') return null;
  const isString = token !== undefined && /["`]/.test(text[token.start]!) && (caret < token.end || token.kind === 'error');
  const isWord = token !== undefined && /^(?:identifier|keyword|function|number|duration|bytes)$/.test(token.kind);
  const before = tokens.slice(0, isString || isWord ? at : tokens.filter(({ end }) => end <= caret).length);
  const wordPart = isWord ? { typed: text.slice(token.start, caret), from: token.start, to: token.end } : null;
  const part = isString ? stringPart(text, token, caret) : wordPart;
  const open = text.lastIndexOf('{', caret);
  return {
    before: before.map(({ start, end }) => text.slice(start, end)), typed: '', from: caret, to: caret, ...part,
    quote: isString ? (text[token.start] as '"' | '`') : '', selector: selectorOf(text.slice(open < 0 ? 0 : open)),
    hasParser: before.some(({ kind, start, end }) => kind === 'keyword' && /^(?:json|logfmt|pattern|regexp|unpack)$/i.test(text.slice(start, end))),
    next: text.slice(part?.to ?? caret).trimStart().slice(0, 2),
  };
}

/** The string that the caret is in. One that seems to go on into other conditions is not closed yet: only what is before the caret is replaced. */
function stringPart(text: string, token: Token, caret: number): { typed: string; from: number; to: number } {
  const isClosed = token.kind === 'string' && !/[={}|]/.test(text.slice(caret, token.end - 1));
  const typed = text.slice(token.start, caret);
  return { typed: unquote(typed + typed[0]) ?? typed.slice(1), from: token.start, to: isClosed ? token.end : caret };
}

const OPERATORS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~', '==', '>', '>=', '<', '<=']);
const BINARY = /^(?:[-+*/%^]|and|or|unless|[!=<>]=|[<>])$/i;
const BEHIND_CALL = [
  'by (¦)', 'without (¦)', '/ ¦', '* ¦', '+ ¦', '- ¦', '> ¦', '< ¦', 'and ¦', 'or ¦', 'unless ¦', 'group_left (¦)', 'group_right (¦)',
];
const LINE_OPERATORS: ReadonlySet<string> = new Set(['|=', '|~', '|>', '!>']);
const NAME = /^[A-Za-z_]\w*$/;

async function entriesAt(place: Place, known: Known): Promise<Entry[]> {
  const { before } = place;
  const last = before.at(-1) ?? '';
  const opened = innermost(before);
  if (opened === '[') return last === '[' ? windowEntries(place) : [];
  if (opened === '{') return selectorEntries(place, known);
  if (isGrouping(before)) return last === '(' || last === ',' ? names(place, known, (name) => name) : [];
  if (isInPipeline(before)) return pipelineEntries(place, known, opened);
  if (place.quote !== '') return [];
  if (VECTOR_FUNCTIONS.some(({ name }) => name === last.toLowerCase()) && place.typed === '') return words(['by (¦)', 'without (¦)']);
  if (BINARY.test(last)) return [...startEntries(place), ...words(['on (¦)', 'ignoring (¦)', ...(/^(?:[!=<>]=?)$/.test(last) ? ['bool'] : [])])];
  if (last === '' || last === '(' || last === ',' || /^bool$/i.test(last)) return startEntries(place);
  if (last === ')') return words(BEHIND_CALL);
  return last === ']' ? words(['offset ¦']) : [];
}

/** Whether the caret is behind a selector and before the window or parenthesis that ends its pipeline. */
function isInPipeline(before: readonly string[]): boolean {
  const selector = before.lastIndexOf('}');
  let depth = 0;
  for (const text of before.slice(selector + 1)) {
    depth += text === '(' ? 1 : text === ')' ? -1 : 0;
    if (depth < 0 || text === '[') return false;
  }
  return selector >= 0;
}

async function pipelineEntries(place: Place, known: Known, opened: string): Promise<Entry[]> {
  const { before } = place;
  const last = before.at(-1)!;
  const bar = before.findLastIndex((text) => text === '|' || text === '}' || LINE_OPERATORS.has(text));
  const stage = before.slice(bar + 1);
  const [word = ''] = stage;
  const isStage = STAGES.some(({ name }) => name === word.toLowerCase());
  if (before[bar] === '|' && !isStage && OPERATORS.has(last)) return valueEntries(before.at(-2)!, last, place, known);
  const isLineFilter = LINE_OPERATORS.has(before[bar]!) || (before[bar] === '}' && word === '!=');
  if (place.quote !== '') return [];
  if (isLineFilter && (LINE_OPERATORS.has(last) || /^(?:or|!=)$/i.test(last))) return place.typed === '' ? [] : words(['ip("¦")']);
  if (last === '|') return stageEntries(place, known);
  if (/^unwrap$/i.test(last)) {
    const conversions = CONVERSIONS.map((each) => fromWord(each, `${each.name}(¦)`, 'function'));
    return [...await names(place, known, (name) => name), ...conversions];
  }
  if (/^(?:drop|keep|label_format|,)$/i.test(last) || (last === '(' && /^unwrap$/i.test(word))) return names(place, known, (name) => name);
  if (before[bar] === '|' && /^(?:and|or|\()$/i.test(last)) return names(place, known, condition);
  const isNameDue = /^(?:[|(,]|and|or)$/i.test(before.at(-2)!);
  if (isNameDue && before[bar] === '|' && !isStage && NAME.test(last)) return operatorEntries(place);
  if (!isComplete(last)) return [];
  const isCondition = before[bar] === '|' && !isStage;
  const joined = place.typed === '' ? words([...(isCondition ? ['and ¦'] : []), ...(isCondition || isLineFilter ? ['or ¦'] : [])]) : [];
  const flags = last === 'logfmt' && place.typed === '' ? words(['--strict', '--keep-empty']) : [];
  return [...nextEntries(place, opened), ...joined, ...flags];
}

/** The innermost bracket that is open, or nothing. */
function innermost(before: readonly string[]): string {
  const open: string[] = [];
  for (const text of before) {
    if (text === '{' || text === '(' || text === '[') open.push(text);
    else if (text === '}' || text === ')' || text === ']') open.pop();
  }
  return open.at(-1) ?? '';
}

/** Whether the caret is in the list of labels of `by (`, `on (` and the like. */
function isGrouping(before: readonly string[]): boolean {
  const open = before.lastIndexOf('(');
  return open > 0 && before.lastIndexOf(')') < open && /^(?:by|without|on|ignoring|group_left|group_right)$/i.test(before[open - 1]!);
}

/** Whether a stage may end with this token. */
function isComplete(last: string): boolean {
  return /^["`\d}]|^[A-Za-z_]\w*$|\)$/.test(last) && !/^(?:and|or|unwrap|drop|keep|pattern|regexp|line_format|label_format|ip)$/i.test(last);
}

function fromWord({ name, does, example }: Word, insert: string, kind: Entry['kind']): Entry {
  return { label: name, insert, kind, detail: does, example };
}

function words(inserts: readonly string[]): Entry[] {
  return inserts.map((insert) => ({ label: insert.replace(/[ (¦"].*/, ''), insert, kind: 'keyword' }));
}

async function selectorEntries(place: Place, known: Known): Promise<Entry[]> {
  const { before } = place;
  const last = before.at(-1) ?? '';
  if (last === '{' || last === ',') {
    const labels = await known.labels();
    const hasOperator = /^[=!]/.test(place.next);
    return labels.map((label) => ({ label, insert: hasOperator ? label : `${label}="¦"`, kind: 'label' as const }));
  }
  if (OPERATORS.has(last)) return valueEntries(before.at(-2) ?? '', last, place, known);
  return NAME.test(last) && place.typed === '' ? MATCHERS.map((word) => fromWord(word, `${word.name}"¦"`, 'operator')) : [];
}

async function valueEntries(name: string, op: string, place: Place, known: Known): Promise<Entry[]> {
  if (/^(?:==|[<>]=?)$/.test(op)) return [];
  const values = name === LEVEL_LABEL ? RISING_LEVELS.map((value) => ({ value, count: undefined })) : await known.values(name);
  return values.map(({ value, count }) => {
    const text = op.endsWith('~') ? quoteRegexp(value) : value;
    const insert = place.quote === '`' && !text.includes('`') ? `\`${text}\`` : quoteValue(text);
    return { label: value, insert, kind: 'value' as const, ...(count === undefined ? {} : { detail: String(count) }) };
  });
}

/** `status="¦"`, or `took > ¦` for what is measured. */
function condition(name: string, type = 'string'): string {
  return /^(?:duration|bytes|float|int)$/.test(type) ? `${name} > ¦` : `${name}="¦"`;
}

/** Labels and fields, the fields first: they are what differs from line to line. */
async function names(place: Place, known: Known, write: (name: string, type?: string) => string): Promise<Entry[]> {
  const [labels, fields] = await Promise.all([known.labels(), known.fields(place.selector)]);
  const own: Entry[] = fields.map(({ name, parser, type }) => ({
    label: name, insert: write(name, type), kind: 'field', detail: [type, parser && `of ${parser}`].filter(Boolean).join(' '),
  }));
  const taken = new Set(fields.map(({ name }) => name));
  const level: Entry = { label: LEVEL_LABEL, insert: write(LEVEL_LABEL), kind: 'field', detail: 'the level that was found in the line' };
  const others = labels.filter((label) => !taken.has(label)).map((label) => ({ label, insert: write(label), kind: 'label' as const }));
  return [...(taken.has(LEVEL_LABEL) ? [] : [level]), ...own, ...others];
}

async function stageEntries(place: Place, known: Known): Promise<Entry[]> {
  const isParser = ({ name }: Word): boolean => name === 'json' || name === 'logfmt';
  const parsers = STAGES.filter(isParser).map((word) => fromWord(word, word.name, 'parser'));
  const others = STAGES.filter((word) => !isParser(word)).map((word) => fromWord(word, word.name + stageRest(word.name), 'parser'));
  const fields = await known.fields(place.selector);
  const parserOf = new Map(fields.map(({ name, parser }) => [name, parser]));
  const conditions = await names(place, known, (name, type) => {
    const parser = place.hasParser ? undefined : parserOf.get(name);
    return parser === undefined ? condition(name, type) : `${parser} | ${condition(name, type)}`;
  });
  return place.hasParser ? [...conditions, ...parsers, ...others] : [...parsers, ...conditions, ...others];
}

function stageRest(name: string): string {
  if (name === 'line_format') return ' "{{.¦}}"';
  if (name === 'pattern' || name === 'regexp') return ' `¦`';
  return name === 'decolorize' || name === 'unpack' ? '' : ' ¦';
}

function operatorEntries(place: Place): Entry[] {
  if (place.typed !== '') return [];
  return [
    ...MATCHERS.map((word) => fromWord(word, `${word.name}"¦"`, 'operator')),
    ...COMPARISONS.map((word) => fromWord(word, `${word.name} ¦`, 'operator')),
  ];
}

function nextEntries(place: Place, opened: string): Entry[] {
  if (place.typed !== '') return [];
  const stages = STAGES.map((word) => ({ ...fromWord(word, `| ${word.name}${stageRest(word.name)}`, 'parser'), label: `| ${word.name}` }));
  const window: Entry[] = opened === '(' ? [{ label: '[5m]', insert: '[¦]', kind: 'duration', detail: 'the window that is calculated over' }] : [];
  return [...window, ...LINE_FILTERS.map((word) => fromWord(word, `${word.name} \`¦\``, 'operator')), ...stages];
}

function windowEntries(place: Place): Entry[] {
  const close = place.next.startsWith(']') ? '' : ']';
  return WINDOWS.map((label) => ({ label, insert: label + close, kind: 'duration' }));
}

/** What stands in a function's parentheses when it is taken, and where the caret goes. */
function argumentsOf(name: string): string {
  if (name === 'quantile_over_time') return '(0.99, {¦}[5m])';
  if (RANGE_FUNCTIONS.some((word) => word.name === name)) return '({¦}[5m])';
  return /^(?:topk|bottomk|approx_topk)$/.test(name) ? '(10, ¦)' : '(¦)';
}

function startEntries(place: Place): Entry[] {
  const isCalled = place.next.startsWith('(');
  const functions = [...RANGE_FUNCTIONS, ...VECTOR_FUNCTIONS];
  return [
    { label: '{…}', insert: '{¦}', kind: 'label', detail: 'the streams to look at', example: '{app="api"}' },
    ...functions.map((word) => fromWord(word, isCalled ? word.name : word.name + argumentsOf(word.name), 'function')),
  ];
}

/** Those that fit what is typed, the best first: begins with it, has a word that does, has its letters in this order. */
function rank(entries: readonly Entry[], typed: string): Entry[] {
  const wanted = typed.toLowerCase();
  if (wanted === '') return [...entries];
  const scored = entries.map((entry) => ({ entry, score: scoreOf(entry.label.toLowerCase(), wanted) }));
  return scored.filter(({ score }) => score < 4).sort((a, b) => a.score - b.score).map(({ entry }) => entry);
}

function scoreOf(label: string, wanted: string): number {
  if (label.startsWith(wanted)) return label === wanted ? 0 : 1;
  const place = label.indexOf(wanted);
  if (place > 0) return /[^a-z0-9]/.test(label[place - 1]!) ? 2 : 2.5;
  let from = 0;
  for (const c of wanted) {
    const found = label.indexOf(c, from);
    if (found < 0) return 4;
    from = found + 1;
  }
  return 3;
}
