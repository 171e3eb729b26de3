import fc from 'fast-check';
import {
  checkRewrite,
  differenceOfReading,
  type ReadQuery,
} from '../../packages/gatehouse/src/core/sealing/visibility-query/check-rewrite-fixture.test.ts';
import {
  CANARY,
  conditions,
  styles,
  writeQuery,
} from '../../packages/gatehouse/src/core/sealing/visibility-query/query-model-fixture.test.ts';
import { Random } from './random.ts';
import type { QueryOracle } from './visibility-query-oracle.ts';

export interface QueryFuzzOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** Only this round. */
  readonly round?: number | undefined;
  /** The engine's parser, asked about everything that is sent. */
  readonly oracle?: QueryOracle | undefined;
}

export interface QueryFuzzReport {
  readonly seed: number;
  readonly rounds: number;
  readonly queries: number;
  /** How often which outcome: `unchanged`, `rewritten`, a refusal's code. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Queries that the engine's parser read as well, of those that name a sealed attribute. */
  readonly compared: number;
}

const QUERIES_PER_ROUND = 8;
const MUTANTS_PER_ROUND = 200;

/** Pieces with a meaning for one of the two readers. */
const pieces: readonly string[] = [
  ...["'", '"', '`', '\\', '--', '/*', '*/', '//', '#', '(', ')', ',', ';', '.', '=', '!=', '<', '>', '<=>'],
  ...[
    '+',
    '-',
    '5',
    '.5',
    '1e',
    '1e5',
    '0x41',
    "x'41'",
    "N'a'",
    '_utf8',
    '||',
    '&&',
    '!',
    '~',
    '@',
    '@@',
    '?',
  ],
  ...[' ', '\n', '\v', '\0', '\u00a0', '\ufeff', 'é', '😀', ':v', '->', '{'],
  ...[
    ' OR ',
    ' AND ',
    ' NOT ',
    ' IN (',
    ' NOT IN ',
    ' BETWEEN ',
    ' IS NULL',
    ' IS NOT NULL',
    ' IS TRUE',
    ' LIKE ',
  ],
  ...[
    ' STARTS_WITH ',
    ' GROUP BY ',
    ' ORDER BY ',
    ' ASC',
    ' DESC',
    ' LIMIT 1',
    ' UNION ',
    ' RLIKE ',
    'null',
    'true',
  ],
  ...[
    'Customer',
    'customer',
    '`Cust Name`',
    'TemporalCustomer',
    'Keyword01',
    'Status',
    'Region',
    'a.b',
    'binary ',
  ],
  ...[`'${CANARY} x.'`, `"${CANARY}"`, CANARY, `Customer = '${CANARY}'`, `(Customer) = '${CANARY}'`],
];

/**
 * Rewrites mutated queries until the time is up, and compares what is sent with the engine's reading of it.
 * @throws Error with the query, the seed and the round where the property does not hold.
 */
export async function runQueryFuzz(options: QueryFuzzOptions): Promise<QueryFuzzReport> {
  const outcomes = new Map<string, number>();
  let queries = 0;
  let compared = 0;
  const until = performance.now() + options.milliseconds;
  let round = options.round ?? 0;
  do {
    const random = new Random(options.seed * 1_000_003 + round);
    const asked = mutants(random).map(async (query, at) => {
      try {
        const { what, sent } = checkRewrite(query, at % 2 === 0 ? 1 : 2);
        queries += 1;
        outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
        if (sent !== undefined && (await isReadAlike(query, sent, options.oracle))) compared += 1;
      } catch (error) {
        throw new Error(`seed ${options.seed} round ${round}: ${JSON.stringify(query)}`, { cause: error });
      }
    });
    await Promise.all(asked);
    round += 1;
  } while (options.round === undefined && performance.now() < until);
  return { seed: options.seed, rounds: round, queries, outcomes: Object.fromEntries(outcomes), compared };
}

/** @returns whether the engine's parser read it. @throws Error where it reads it in another way. */
async function isReadAlike(query: string, sent: string, oracle: QueryOracle | undefined): Promise<boolean> {
  // A version comment ends the parser's process; such queries are refused before they are rewritten.
  if (oracle === undefined || query.includes('/*!')) return false;
  const [asked, found]: ReadQuery[] = await Promise.all([oracle.read(query), oracle.read(sent)]);
  if (asked === undefined || found === undefined) return false;
  const difference = differenceOfReading(query, sent, asked, found);
  if (difference !== undefined) throw new Error(difference);
  return asked.error === undefined;
}

function mutants(random: Random): string[] {
  const seed = random.below(2 ** 31);
  const written = fc
    .sample(fc.tuple(conditions(random.chance(2)), styles), { numRuns: QUERIES_PER_ROUND, seed })
    .map(([condition, style]) => writeQuery(condition, style));
  return Array.from({ length: MUTANTS_PER_ROUND }, () => {
    let query = random.pick(written);
    for (let count = random.below(4); count > 0; count -= 1) query = mutate(query, written, random);
    // What comes over the wire is UTF-8: no half of a pair.
    return query.toWellFormed();
  });
}

function mutate(query: string, written: readonly string[], random: Random): string {
  const at = random.below(query.length + 1);
  const until = Math.min(query.length, at + random.below(12));
  switch (random.below(5)) {
    case 0:
      return query.slice(0, at) + query.slice(until);
    case 1:
      return query.slice(0, until) + query.slice(at);
    case 2: {
      const other = random.pick(written);
      return query.slice(0, at) + other.slice(random.below(other.length + 1));
    }
    case 3:
      return query.slice(0, at) + random.pick(pieces) + query.slice(until);
    default:
      return query.slice(0, at) + random.pick(pieces) + query.slice(at);
  }
}
