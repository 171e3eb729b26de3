import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Condition, Operator, Predicate, QueryValue } from './parse-query.ts';
import type { SealedAttributes } from './sealed-names.ts';

// A small world for visibility queries: rows, conditions with the text that says them, and what they find.

export type Cell = string | number | readonly string[] | undefined;
export type Row = Readonly<Record<string, Cell>>;

/** Stands in every value of a sealed attribute. */
export const CANARY = 'canary';

export const sealedNames: readonly string[] = ['Customer', 'Tags', 'Cust Name'];

/** Seals without a secret, under as many keys as are named. */
export function fakeSealed(
  keys: readonly string[],
  names: readonly string[] = sealedNames,
): SealedAttributes & {
  seal(attribute: string, value: string, key?: string): string;
} {
  const seal = (attribute: string, value: string, key = keys[0] ?? ''): string => {
    const digest = createHash('sha256')
      .update(JSON.stringify([key, attribute, value]))
      .digest('base64url');
    return `gh1.${digest}`;
  };
  return {
    has: (name) => names.includes(name),
    names,
    sealAll: (attribute, value) =>
      value.length > 150 ? undefined : keys.map((key) => seal(attribute, value, key)),
    seal,
  };
}

/** The row as the store holds it: each sealed value under the key that was in use when it was written. */
export function sealRow(row: Row, sealed: ReturnType<typeof fakeSealed>, key: string): Row {
  const sealCell = (name: string, cell: Cell): Cell => {
    if (!sealed.has(name)) return cell;
    if (typeof cell === 'string') return sealed.seal(name, cell, key);
    return Array.isArray(cell) ? cell.map((item: string) => sealed.seal(name, item, key)) : cell;
  };
  return Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, sealCell(name, cell)]));
}

/** Does the row match? Undefined is SQL's NULL, as in the stores. */
export function matches(condition: Condition, row: Row): boolean | undefined {
  if (condition.kind === 'predicate') return matchesPredicate(condition, row[condition.name.text]);
  if (condition.kind === 'not') {
    const inner = matches(condition.part, row);
    return inner === undefined ? undefined : !inner;
  }
  const deciding = condition.kind === 'or';
  const parts = condition.parts.map((part) => matches(part, row));
  if (parts.includes(deciding)) return deciding;
  return parts.includes(undefined) ? undefined : !deciding;
}

function matchesPredicate({ operator, values }: Predicate, cell: Cell): boolean | undefined {
  if (operator === 'IS NULL') return cell === undefined;
  if (operator === 'IS NOT NULL') return cell !== undefined;
  const negated = operator === '!=' || operator.startsWith('NOT ');
  const wanted = values.map(({ kind, text }) => (kind === 'number' ? Number(text) : text));
  if (Array.isArray(cell)) return wanted.some((value) => cell.includes(value)) !== negated;
  if (cell === undefined || typeof cell === 'object') return undefined;
  return holds(operator, cell, wanted) !== negated;
}

function holds(
  operator: Operator,
  cell: string | number,
  [first = '', second = '', ...others]: (string | number)[],
): boolean {
  switch (operator) {
    case '<':
      return cell < first;
    case '>':
      return cell > first;
    case '<=':
      return cell <= first;
    case '>=':
      return cell >= first;
    case 'BETWEEN':
    case 'NOT BETWEEN':
      return cell >= first && cell <= second;
    case 'STARTS_WITH':
    case 'NOT STARTS_WITH':
      return String(cell).startsWith(String(first));
    case 'IN':
    case 'NOT IN':
      return [first, second, ...others].includes(cell);
    default:
      return cell === first;
  }
}

const sealedValue = fc
  .constantFrom('a', 'A', "o'k", '"q"', 'b\\', '\n\0\t', 'é 😀', '-- x', '/* y */', '%_', ') OR (', '♡')
  .map((text) => `${CANARY} ${text}.`);
const clearValue = fc.constantFrom('eu', 'us', '', 'Customer', "it's", '`Tags`', ' NOT ');
const number = fc.constantFrom('0', '7', '-3', '1.5', '2e1');
const equalities: readonly Operator[] = ['=', '!=', 'IN', 'NOT IN', 'IS NULL', 'IS NOT NULL'];
const orders: readonly Operator[] = ['<', '>', '<=', '>=', 'BETWEEN', 'NOT BETWEEN'];
const prefixes: readonly Operator[] = ['STARTS_WITH', 'NOT STARTS_WITH'];

const token = { start: 0, end: 0 } as const;

function predicates(
  name: string,
  operators: readonly Operator[],
  kind: QueryValue['kind'],
  text: fc.Arbitrary<string>,
): fc.Arbitrary<Predicate> {
  return fc
    .tuple(fc.constantFrom(...operators), fc.array(text, { minLength: 3, maxLength: 5 }))
    .map(([operator, texts]) => ({
      ...token,
      kind: 'predicate' as const,
      name: { ...token, kind: 'name' as const, text: name },
      operator,
      values: texts.slice(0, valueCount(operator, texts.length)).map((text) => ({ ...token, kind, text })),
    }));
}

function valueCount(operator: Operator, most: number): number {
  if (operator.startsWith('IS ')) return 0;
  if (operator.endsWith('BETWEEN')) return 2;
  return operator.endsWith('IN') ? most : 1;
}

/**
 * @param answerable only what sealed attributes can answer.
 * @param value of sealed attributes.
 */
export function conditions(
  answerable: boolean,
  value: fc.Arbitrary<string> = sealedValue,
): fc.Arbitrary<Condition> {
  const forSealed = answerable ? equalities : [...equalities, ...orders, ...prefixes];
  const leaf = fc.oneof(
    predicates('Customer', forSealed, 'string', value),
    predicates('Cust Name', forSealed, 'string', value),
    predicates('Tags', equalities, 'string', value),
    predicates('Region', [...equalities, ...orders, ...prefixes], 'string', clearValue),
    predicates('HistoryLength', [...equalities, ...orders], 'number', number),
  );
  const { node } = fc.letrec<{ node: Condition; leaf: Condition }>((tie) => ({
    leaf,
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      tie('leaf'),
      fc.record({
        kind: fc.constantFrom('or' as const, 'and' as const),
        parts: fc.array(tie('node'), { minLength: 2, maxLength: 4 }),
      }),
      fc.record({ kind: fc.constant('not' as const), part: tie('node') }),
    ),
  }));
  return node;
}

export const rows: fc.Arbitrary<Row> = fc.record({
  Customer: fc.option(sealedValue, { nil: undefined }),
  'Cust Name': fc.option(sealedValue, { nil: undefined }),
  Tags: fc.array(sealedValue, { minLength: 1, maxLength: 3 }),
  Region: fc.option(clearValue, { nil: undefined }),
  HistoryLength: fc.integer({ min: -4, max: 21 }),
});

/** Choices of style: any numbers, used in turn. */
export const styles: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(59), {
  minLength: 1,
  maxLength: 200,
});

/** The condition as somebody might write it. */
export function writeQuery(condition: Condition, style: readonly number[]): string {
  return new Writer(style).write(condition);
}

class Writer {
  readonly #style: readonly number[];
  #at = 0;

  constructor(style: readonly number[]) {
    this.#style = style;
  }

  write(condition: Condition): string {
    return this.#glue(this.#pieces(condition));
  }

  #choose(count: number): number {
    this.#at = (this.#at + 1) % this.#style.length;
    return (this.#style[this.#at] ?? 0) % count;
  }

  #pieces(condition: Condition): string[] {
    if (condition.kind === 'predicate') return this.#predicate(condition);
    if (condition.kind === 'not') return [this.#word('NOT'), ...this.#inBrackets(condition.part)];
    return condition.parts.flatMap((part, at) => [
      ...(at === 0 ? [] : [this.#word(condition.kind)]),
      ...this.#inBrackets(part),
    ]);
  }

  #inBrackets(condition: Condition): string[] {
    const needed = condition.kind === 'or' || condition.kind === 'and';
    const pieces = this.#pieces(condition);
    return needed || this.#choose(4) === 0 ? ['(', ...pieces, ')'] : pieces;
  }

  #predicate({ name, operator, values }: Predicate): string[] {
    const written = values.map(({ kind, text }) => (kind === 'string' ? this.#quote(text) : text));
    const operators =
      operator === '!=' && this.#choose(2) === 0
        ? ['<>']
        : operator.split(' ').map((word) => this.#word(word));
    const left = [this.#name(name.text), ...operators];
    if (operator.endsWith('BETWEEN')) return [...left, written[0] ?? '', this.#word('AND'), written[1] ?? ''];
    if (!operator.endsWith('IN')) return [...left, ...written];
    return [...left, '(', ...written.flatMap((text, at) => (at === 0 ? [text] : [',', text])), ')'];
  }

  #name(name: string): string {
    if (this.#choose(3) === 0) return `\`${name.slice(0, 2)}\`\`${name.slice(2)}\``;
    return name.includes(' ') || this.#choose(2) === 0 ? `\`${name}\`` : name;
  }

  #word(word: string): string {
    return [word.toUpperCase(), word.toLowerCase(), word.charAt(0).toLowerCase() + word.slice(1)][
      this.#choose(3)
    ] as string;
  }

  #quote(text: string): string {
    const quote = this.#choose(2) === 0 ? "'" : '"';
    const escaped = [...text].map((unit) => {
      if (unit === '\\') return '\\\\';
      if (unit === quote) return this.#choose(2) === 0 ? `${quote}${quote}` : `\\${quote}`;
      if (unit === '\n' && this.#choose(2) === 0) return '\\n';
      if (unit === '\0' && this.#choose(2) === 0) return '\\0';
      return !'0bnrtZ'.includes(unit) && this.#choose(12) === 0 ? `\\${unit}` : unit;
    });
    return `${quote}${escaped.join('')}${quote}`;
  }

  #glue(pieces: readonly string[]): string {
    let query = '';
    for (const piece of pieces) {
      const touches = /[A-Za-z0-9_]$/.test(query) && /^[A-Za-z0-9_.-]/.test(piece);
      query += ['', ' ', ' ', '\n', ' \t '][touches ? 1 + this.#choose(4) : this.#choose(5)] + piece;
    }
    return query;
  }
}
