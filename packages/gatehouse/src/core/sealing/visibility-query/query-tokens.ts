import { type Refusal, refuse } from '#base/model/refusals';

/**
 * A piece of a query; between two pieces there is nothing but white space.
 *
 * - `word`: a keyword or a name without backticks.
 * - `name`: a name in backticks. The engine takes every backtick out of a name, doubled ones too.
 * - `string`: quoted once or twice; `number`: without its sign; `symbol`: an operator or a bracket.
 * - `end`: behind the last piece, always there.
 */
export interface QueryToken {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'end';
  /** Half-open range in the query, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** What it stands for: a name without its backticks, a string without quotes and escapes. */
  readonly text: string;
}

/** The longest first: `<=` is not `<` and `=`. */
const symbols = ['<=', '>=', '<>', '!=', '=', '<', '>', '(', ')', ',', '+', '-'];

/** What the engine reads differently from what stands there, or what it has no use for. */
const refused: readonly (readonly [text: string, what: string])[] = [
  ['/*', 'a comment'],
  ['--', 'a comment'],
  ['//', 'a comment'],
  ['#', 'a comment'],
  ['->', 'an operator that visibility queries do not have'],
  ['<=>', 'an operator that visibility queries do not have'],
  [';', 'a semicolon'],
  ['.', 'a name with a dot, which needs backticks around all of it'],
];

/** Escapes with a meaning of their own; every other character behind a backslash stands for itself. */
const escapes: Readonly<Record<string, string>> = {
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\x1a',
};

/**
 * Splits a query as the engine's parser does (a fork of an SQL parser of Vitess, run on 1.31.2), in time that grows
 * with its length alone. What the two could read differently is refused: comments, letters that touch a number,
 * control characters, letters beyond ASCII without backticks.
 * @throws Refusal `query_refused`, with the place.
 */
export function tokenizeQuery(query: string): readonly QueryToken[] {
  const tokens: QueryToken[] = [];
  let at = skipSpace(query, 0);
  while (at < query.length) {
    const token = readToken(query, at);
    tokens.push(token);
    at = skipSpace(query, token.end);
  }
  tokens.push({ kind: 'end', start: query.length, end: query.length, text: '' });
  return tokens;
}

/** A refusal that says where; `what` holds nothing of the query. */
export function queryFault(what: string, at: number): Refusal {
  return refuse('query_refused', { publicDetail: `${what}, at character ${at + 1}` });
}

function readToken(query: string, start: number): QueryToken {
  const first = query.charAt(start);
  if (first === "'" || first === '"') return readString(query, start);
  if (first === '`') return readName(query, start);
  if (isLetter(first)) {
    const end = skipWhile(query, start, (unit) => isLetter(unit) || isDigit(unit));
    if (query.charAt(end) === '@') throw queryFault('an @', end);
    return { kind: 'word', start, end, text: query.slice(start, end) };
  }
  if (isDigit(first) || (first === '.' && isDigit(query.charAt(start + 1)))) return readNumber(query, start);
  for (const [text, what] of refused) if (query.startsWith(text, start)) throw queryFault(what, start);
  const text = symbols.find((symbol) => query.startsWith(symbol, start));
  if (text === undefined) throw queryFault('a character that belongs into quotes', start);
  return { kind: 'symbol', start, end: start + text.length, text };
}

function readString(query: string, start: number): QueryToken {
  const quote = query.charAt(start);
  const parts: string[] = [];
  let from = start + 1;
  for (let at = from; at < query.length; ) {
    const unit = query.charAt(at);
    if (unit === '\\' && at + 1 < query.length) {
      const escaped = query.charAt(at + 1);
      parts.push(query.slice(from, at), escapes[escaped] ?? escaped);
      at += 2;
      from = at;
    } else if (unit !== quote) {
      at += 1;
    } else if (query.charAt(at + 1) === quote) {
      parts.push(query.slice(from, at + 1));
      at += 2;
      from = at;
    } else {
      parts.push(query.slice(from, at));
      return { kind: 'string', start, end: at + 1, text: parts.join('') };
    }
  }
  throw queryFault('a text without its closing quote', start);
}

function readName(query: string, start: number): QueryToken {
  let end = start + 1;
  while (end < query.length) {
    if (query.charAt(end) !== '`') end += 1;
    else if (query.charAt(end + 1) === '`') end += 2;
    else break;
  }
  if (end >= query.length) throw queryFault('a name without its closing backtick', start);
  const text = query.slice(start + 1, end).replaceAll('`', '');
  if (text === '') throw queryFault('a name that is empty', start);
  return { kind: 'name', start, end: end + 1, text };
}

function readNumber(query: string, start: number): QueryToken {
  let end = skipWhile(query, start, isDigit);
  if (query.charAt(end) === '.') end = skipWhile(query, end + 1, isDigit);
  if (query.charAt(end) === 'e' || query.charAt(end) === 'E') {
    const sign = query.charAt(end + 1);
    const digits = sign === '+' || sign === '-' ? end + 2 : end + 1;
    end = skipWhile(query, digits, isDigit);
    if (end === digits) throw queryFault('a number that is not complete', start);
  }
  const next = query.charAt(end);
  if (isLetter(next) || isDigit(next) || next === '@' || next === '.') {
    throw queryFault('a number that does not end', start);
  }
  return { kind: 'number', start, end, text: query.slice(start, end) };
}

function skipSpace(query: string, from: number): number {
  return skipWhile(query, from, (unit) => unit === ' ' || unit === '\t' || unit === '\n' || unit === '\r');
}

/** At the end of the query `charAt` gives an empty text, which no test holds true. */
function skipWhile(query: string, from: number, test: (unit: string) => boolean): number {
  let at = from;
  while (test(query.charAt(at))) at += 1;
  return at;
}

function isLetter(unit: string): boolean {
  return (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || unit === '_';
}

function isDigit(unit: string): boolean {
  return unit >= '0' && unit <= '9';
}
