import { isEngineWord } from './engine-words.ts';
import { type QueryToken, queryFault } from './query-tokens.ts';
import { TokenReader } from './token-reader.ts';

/** A query, whole. Places are those of its tokens. */
export interface ParsedQuery {
  readonly where: Condition | undefined;
  /** All comparisons of `where`, in the order in which they stand. */
  readonly predicates: readonly Predicate[];
  readonly groupBy: readonly QueryToken[];
  readonly orderBy: readonly QueryToken[];
}

export type Condition =
  | { readonly kind: 'or' | 'and'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | Predicate;

export interface Predicate {
  readonly kind: 'predicate';
  readonly name: QueryToken;
  readonly operator: Operator;
  /** Where the operator stands: both words of `NOT IN`, the first of `BETWEEN … AND …`. */
  readonly start: number;
  readonly end: number;
  readonly values: readonly QueryValue[];
}

const comparisons = ['=', '!=', '<', '>', '<=', '>='] as const;

export type Operator =
  | (typeof comparisons)[number]
  | `${'' | 'NOT '}${'IN' | 'BETWEEN' | 'STARTS_WITH'}`
  | 'IS NULL'
  | 'IS NOT NULL';

/** What stands on the right. The engine refuses a `name` there; a reader of this must, too. */
export interface QueryValue {
  readonly kind: 'string' | 'number' | 'boolean' | 'name';
  readonly start: number;
  readonly end: number;
  /** A string without quotes and escapes; the others as they stand. */
  readonly text: string;
}

/** Brackets and NOTs within each other. The engine takes 199 brackets; nobody writes so many. */
const NESTING_MAX = 100;

/**
 * Reads the engine's language, as far as data-plane.md 4.2 has it: OR, AND, NOT, brackets, comparisons of a name
 * with values, then GROUP BY and ORDER BY. Binds as the engine does: NOT more than AND, AND more than OR.
 * @throws Refusal `query_refused`, with the place, for all else.
 */
export function parseQuery(tokens: readonly QueryToken[]): ParsedQuery {
  const reader = new TokenReader(tokens);
  const predicates: Predicate[] = [];
  const empty = reader.next.kind === 'end' || reader.isWord('group') || reader.isWord('order');
  const where = empty ? undefined : readOr(reader, predicates, 0);
  const groupBy = reader.takeWords('group', 'by') ? readNames(reader) : [];
  const orderBy = reader.takeWords('order', 'by') ? readOrder(reader) : [];
  if (reader.next.kind !== 'end') throw reader.fault('something else than AND, OR or the end');
  return { where, predicates, groupBy, orderBy };
}

function readOr(reader: TokenReader, found: Predicate[], depth: number): Condition {
  const first = readAnd(reader, found, depth);
  const parts = [first];
  while (reader.takeWords('or')) parts.push(readAnd(reader, found, depth));
  return parts.length === 1 ? first : { kind: 'or', parts };
}

function readAnd(reader: TokenReader, found: Predicate[], depth: number): Condition {
  const first = readNot(reader, found, depth);
  const parts = [first];
  while (reader.takeWords('and')) parts.push(readNot(reader, found, depth));
  return parts.length === 1 ? first : { kind: 'and', parts };
}

function readNot(reader: TokenReader, found: Predicate[], depth: number): Condition {
  if (depth > NESTING_MAX) throw reader.fault(`more than ${NESTING_MAX} brackets and NOTs within each other`);
  if (reader.takeWords('not')) return { kind: 'not', part: readNot(reader, found, depth + 1) };
  if (reader.takeSymbol('(')) {
    const inner = readOr(reader, found, depth + 1);
    if (!reader.takeSymbol(')')) throw reader.fault('something else than AND, OR or a closing bracket');
    return inner;
  }
  const predicate = readPredicate(reader);
  found.push(predicate);
  return predicate;
}

function readPredicate(reader: TokenReader): Predicate {
  const name = readName(reader);
  const { start } = reader.next;
  const operator = readOperator(reader);
  const end = reader.lastEnd;
  return { kind: 'predicate', name, operator, start, end, values: readValues(reader, operator) };
}

function readName(reader: TokenReader): QueryToken {
  const token = reader.take();
  if (token.kind === 'name') return token;
  if (token.kind !== 'word')
    throw queryFault('something else than the name of a search attribute', token.start);
  if (isEngineWord(token.text)) {
    throw queryFault('a word of the query language, which needs backticks as a name', token.start);
  }
  return token;
}

function readOperator(reader: TokenReader): Operator {
  const comparison = comparisons.find((symbol) => reader.takeSymbol(symbol));
  if (comparison !== undefined) return comparison;
  if (reader.takeSymbol('<>')) return '!=';
  if (reader.takeWords('is', 'not', 'null')) return 'IS NOT NULL';
  if (reader.takeWords('is', 'null')) return 'IS NULL';
  const negated = reader.takeWords('not') ? 'NOT ' : '';
  if (reader.takeWords('in')) return `${negated}IN`;
  if (reader.takeWords('between')) return `${negated}BETWEEN`;
  if (reader.takeWords('starts_with')) return `${negated}STARTS_WITH`;
  throw reader.fault('something else than an operator of visibility queries');
}

function readValues(reader: TokenReader, operator: Operator): QueryValue[] {
  if (operator === 'IS NULL' || operator === 'IS NOT NULL') return [];
  if (operator === 'BETWEEN' || operator === 'NOT BETWEEN') {
    const from = readValue(reader);
    if (!reader.takeWords('and')) throw reader.fault('something else than the AND of BETWEEN');
    return [from, readValue(reader)];
  }
  if (operator !== 'IN' && operator !== 'NOT IN') return [readValue(reader)];
  if (!reader.takeSymbol('(')) throw reader.fault('something else than the opening bracket of a list');
  const values = [readValue(reader)];
  while (reader.takeSymbol(',')) values.push(readValue(reader));
  if (!reader.takeSymbol(')')) throw reader.fault('something else than a comma or the end of a list');
  return values;
}

function readValue(reader: TokenReader): QueryValue {
  const { start } = reader.next;
  const minus = reader.takeSymbol('-');
  const signed = minus || reader.takeSymbol('+');
  const { kind, end, text } = reader.next;
  if (kind === 'number') {
    reader.take();
    return { kind, start, end, text: minus ? `-${text}` : text };
  }
  if (signed) throw reader.fault('something else than the number behind its sign');
  const isName = kind === 'name' || (kind === 'word' && !isEngineWord(text));
  if (kind === 'string' || isName) {
    reader.take();
    return { kind: isName ? 'name' : 'string', start, end, text };
  }
  if (reader.takeWords('true') || reader.takeWords('false')) return { kind: 'boolean', start, end, text };
  throw reader.fault('something else than a quoted text, a number, TRUE or FALSE');
}

function readNames(reader: TokenReader): QueryToken[] {
  const names = [readName(reader)];
  while (reader.takeSymbol(',')) names.push(readName(reader));
  return names;
}

function readOrder(reader: TokenReader): QueryToken[] {
  const names: QueryToken[] = [];
  do {
    names.push(readName(reader));
    if (!reader.takeWords('asc')) reader.takeWords('desc');
  } while (reader.takeSymbol(','));
  return names;
}
