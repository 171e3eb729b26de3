import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { type Condition, parseQuery } from './parse-query.ts';
import { conditions, styles, writeQuery } from './query-model-fixture.test.ts';
import { tokenizeQuery } from './query-tokens.ts';

type Said = readonly (string | Said)[];

function say(condition: Condition): Said {
  if (condition.kind === 'not') return ['not', say(condition.part)];
  if (condition.kind !== 'predicate') return [condition.kind, ...condition.parts.map(say)];
  return [condition.operator, condition.name.text, ...condition.values.map(({ text }) => text)];
}

function read(query: string): Said | undefined {
  const { where } = parseQuery(tokenizeQuery(query));
  return where === undefined ? undefined : say(where);
}

test('a condition is read as it was meant, however it is written', () => {
  fc.assert(
    fc.property(conditions(false), styles, (condition, style) => {
      assert.deepEqual(read(writeQuery(condition, style)), say(condition));
    }),
    { numRuns: 500 },
  );
});

test('AND binds more than OR, NOT more than both, and less than a comparison', () => {
  assert.deepEqual(read('a=1 or b=2 and not c=3 or d is null'), [
    'or',
    ['=', 'a', '1'],
    ['and', ['=', 'b', '2'], ['not', ['=', 'c', '3']]],
    ['IS NULL', 'd'],
  ]);
  assert.deepEqual(read('not a between 1 and 2 and not b is not null'), [
    'and',
    ['not', ['BETWEEN', 'a', '1', '2']],
    ['not', ['IS NOT NULL', 'b']],
  ]);
  assert.deepEqual(read('a in (-1, + 2, - 3.5)'), ['IN', 'a', '-1', '2', '-3.5']);
  assert.deepEqual(read('(a=1 or b=2) and ((c not in (3, "4", true)))'), [
    'and',
    ['or', ['=', 'a', '1'], ['=', 'b', '2']],
    ['NOT IN', 'c', '3', '4', 'true'],
  ]);
});

test('GROUP BY and ORDER BY follow the condition, or stand alone', () => {
  const clauses = (query: string) => {
    const { groupBy, orderBy } = parseQuery(tokenizeQuery(query));
    return [groupBy.map(({ text }) => text), orderBy.map(({ text }) => text)];
  };
  assert.deepEqual(clauses('a=1 GROUP BY b ORDER BY c DESC, `d`'), [['b'], ['c', 'd']]);
  assert.deepEqual(clauses('group by b, c'), [['b', 'c'], []]);
  assert.deepEqual(clauses('order by c asc'), [[], ['c']]);
  assert.deepEqual(clauses(''), [[], []]);
});

test('all else is refused, with its place', () => {
  for (const [query, at] of [
    ["'x' = a", 1],
    ["(a) = 'x'", 3],
    ["(a, b) IN (('x', 'y'))", 3],
    ["a = ('x')", 5],
    ["a IN 'x'", 6],
    ['a IN ()', 7],
    ["a IN ('x'", 10],
    ["a IN ('x',)", 11],
    ["a IN ('x' 'y')", 11],
    ["a = 'x' 'y'", 9],
    ["a = 'x' b = 'y'", 9],
    ["a = x'41'", 6],
    ["a = _utf8'x'", 10],
    ["a = N'x'", 6],
    ["a = _binary 'x'", 5],
    ['a = NULL', 5],
    ['a = - "x"', 7],
    ['a = --1', 0],
    ['a = 1 + 2', 7],
    ["a = concat('x')", 11],
    ["concat(a) = 'x'", 7],
    ['a IS TRUE', 3],
    ['a IS NOT 5', 3],
    ['a LIKE "x"', 3],
    ['a RLIKE "x"', 3],
    ['a NOT "x"', 7],
    ['a BETWEEN 1 OR 2', 13],
    ['a', 2],
    ['NOT a', 6],
    ['NOT', 4],
    ['a = 1 AND', 10],
    ['a = 1)', 6],
    ['(a = 1', 7],
    ['a = 1 LIMIT 1', 7],
    ['a = 1 UNION SELECT 1', 7],
    ['a = 1 HAVING b = 1', 7],
    ['a = 1 GROUP BY', 15],
    ['a = 1 ORDER BY b c', 18],
    ['a = 1 ORDER BY b GROUP BY c', 18],
    ['a = 1 group', 7],
    ['Status = 1', 1],
    ['select = 1', 1],
    ['DUAL = 1', 1],
    ['exists (a = 1)', 1],
  ] as const) {
    assert.throws(
      () => read(query),
      (error) =>
        error instanceof Refusal &&
        error.code === 'query_refused' &&
        (at === 0 || error.message.endsWith(`, at character ${at}`)),
      query,
    );
  }
});

test('brackets and NOTs are counted: deep ones are refused, and long queries are not', () => {
  const nested = (open: string, close: string, depth: number) =>
    `${open.repeat(depth)}a = 1${close.repeat(depth)}`;
  for (const [open, close] of [
    ['(', ')'],
    ['NOT ', ''],
    ['NOT (', ')'],
  ] as const) {
    assert.ok(read(nested(open, close, 50)));
    assert.throws(() => read(nested(open, close, 101)), /more than 100 brackets and NOTs/);
    assert.throws(() => read(nested(open, close, 100_000)), /more than 100 brackets and NOTs/);
  }
  const flat = read(new Array(20_000).fill('(a = 1)').join(' OR '));
  assert.equal(flat?.length, 20_001);
});
