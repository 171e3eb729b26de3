// No test itself: what every rewriting of a query must hold, for the fuzzers.
import { Refusal } from '#base/model/refusals';
import { type Condition, type ParsedQuery, parseQuery } from './parse-query.ts';
import { CANARY, fakeSealed } from './query-model-fixture.test.ts';
import { tokenizeQuery } from './query-tokens.ts';
import { rewriteQuery } from './rewrite-query.ts';
import { mentionsSealed } from './sealed-names.ts';

/** A condition as both readers say it: operator, name, values; or `and`, `or`, `not` and their parts. */
export type Said = string | readonly Said[];

/** A query as a reader of the whole understands it; `error` where it does not. */
export interface ReadQuery {
  readonly error?: string;
  readonly where: Said | null;
  readonly groupBy: readonly string[];
  readonly orderBy: readonly string[];
  /** Every name of a search attribute, wherever it stands. */
  readonly names: readonly string[];
}

export interface Outcome {
  /** `unchanged`, `rewritten`, or the code of a refusal. */
  readonly what: string;
  /** What goes to the engine; undefined where it is refused. */
  readonly sent: string | undefined;
}

const keySets = [fakeSealed(['k1']), fakeSealed(['k2', 'k1'])] as const;
const codes: readonly string[] = ['filter_refused', 'query_refused'];

/** How long one query of some thousand characters may take: thousands of times what it needs. */
const MILLISECONDS_MAX = 500;

/**
 * The property, whatever the query: it is refused without a word of it, or what is sent is wholly read by ourselves
 * and asks sealed attributes for nothing but sealed texts.
 * @param keys how many attribute keys there are.
 * @throws Error where that does not hold.
 */
export function checkRewrite(query: string, keys: 1 | 2): Outcome {
  const sealed = keySets[keys === 1 ? 0 : 1];
  const began = performance.now();
  const outcome = ask(query, sealed);
  const milliseconds = performance.now() - began;
  if (milliseconds > MILLISECONDS_MAX) throw new Error(`${milliseconds} ms`);
  if (outcome.sent !== undefined && mentionsSealed(query, sealed)) {
    const fault = clearQuestion(readOurselves(outcome.sent).where);
    if (fault !== undefined) throw new Error(`we ask in clear: ${fault}`);
  }
  return outcome;
}

function ask(query: string, sealed: (typeof keySets)[number]): Outcome {
  try {
    const sent = rewriteQuery(query, sealed);
    if (!mentionsSealed(query, sealed) && sent !== query) throw new Error('changed without need');
    return { what: sent === query ? 'unchanged' : 'rewritten', sent };
  } catch (error) {
    if (!(error instanceof Refusal) || !codes.includes(error.code)) throw error;
    if (`${error.message}${error.detail ?? ''}`.includes(CANARY))
      throw new Error('a refusal repeats a value');
    return { what: error.code, sent: undefined };
  }
}

/** What is sent, by our own reader. @throws Refusal where it cannot be read. */
export function readOurselves(query: string): ReadQuery {
  const parsed: ParsedQuery = parseQuery(tokenizeQuery(query));
  const text = (token: { readonly text: string }): string => token.text;
  const groupBy = parsed.groupBy.map(text);
  const orderBy = parsed.orderBy.map(text);
  const names = [...parsed.predicates.map(({ name }) => name.text), ...groupBy, ...orderBy];
  return { where: parsed.where === undefined ? null : say(parsed.where), groupBy, orderBy, names };
}

function say(condition: Condition): Said {
  if (condition.kind === 'not') return ['not', say(condition.part)];
  if (condition.kind !== 'predicate') return [condition.kind, ...condition.parts.map(say)];
  const values = condition.values.map(({ kind, text }) =>
    kind === 'boolean' ? `boolean ${text.toLowerCase()}` : `${kind} ${text}`,
  );
  return [condition.operator, condition.name.text, ...values];
}

/**
 * Compares our reading with the engine's, of what was asked and of what is sent. Where the engine refuses a query
 * there is nothing to compare.
 * @returns what differs, or undefined.
 */
export function differenceOfReading(
  query: string,
  sent: string,
  asked: ReadQuery,
  found: ReadQuery,
): string | undefined {
  const sealed = keySets[0];
  const column = found.names.find((name) => /^(?:Temporal)?Keyword(?:List)?\d\d$/.test(name));
  if (column !== undefined) return `the engine sees the column ${column}`;
  if (!mentionsSealed(query, sealed)) {
    const named = found.names.find((name) => sealed.has(name));
    return named === undefined ? undefined : `the engine sees ${named} where we see no sealed attribute`;
  }
  if (asked.error === undefined && found.error !== undefined)
    return `what is sent is refused: ${found.error}`;
  const fault = clearQuestion(found.where);
  if (fault !== undefined) return `the engine is asked in clear: ${fault}`;
  for (const [text, theirs] of [
    [query, asked],
    [sent, found],
  ] as const) {
    if (theirs.error !== undefined) continue;
    const ours = withoutNames(readOurselves(text));
    const both = withoutNames(theirs);
    if (ours !== both) return `of ${text}\nwe read      ${ours}\nthe engine   ${both}`;
  }
  return undefined;
}

function withoutNames({ where, groupBy, orderBy }: ReadQuery): string {
  return JSON.stringify({ where, groupBy, orderBy });
}

/** A question to a sealed attribute that is not about sealed texts. */
function clearQuestion(where: Said | null): string | undefined {
  if (where === null || typeof where === 'string') return undefined;
  const [first, second, ...others] = where;
  if (typeof second === 'string') {
    const isSealed =
      keySets[0].has(second) && others.some((value) => !String(value).startsWith('string gh1.'));
    return isSealed ? JSON.stringify(where) : undefined;
  }
  return typeof first === 'string'
    ? where
        .slice(1)
        .map(clearQuestion)
        .find((fault) => fault !== undefined)
    : undefined;
}
