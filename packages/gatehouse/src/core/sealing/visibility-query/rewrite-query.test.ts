import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { type Condition, parseQuery } from './parse-query.ts';
import {
  CANARY,
  conditions,
  fakeSealed,
  matches,
  rows,
  sealedNames,
  sealRow,
  styles,
  writeQuery,
} from './query-model-fixture.test.ts';
import { tokenizeQuery } from './query-tokens.ts';
import { rewriteQuery } from './rewrite-query.ts';
import type { SealedAttributes } from './sealed-names.ts';

/** Seals so that a reader of this file sees what became of a value. */
const readable = (...keys: string[]) => ({
  ...fakeSealed(keys),
  sealAll: (attribute: string, value: string) =>
    value.length > 20 ? undefined : keys.map((key) => `${key}.${attribute.slice(0, 1)}.${value}`),
});
const one = readable('k1');
const two = readable('k2', 'k1');

function refusalOf(query: string, sealed: SealedAttributes = one): string {
  try {
    return `returned: ${rewriteQuery(query, sealed)}`;
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return `${error.code} ${error.message.slice(error.message.indexOf(': ') + 2)}`;
  }
}

test('a query without the name of a sealed attribute is returned as it is, whatever it says', () => {
  for (const query of [
    '',
    'Region = "x" -- y',
    "((('",
    'SELECT',
    '\0',
    'Custom = 1',
    'Keyword = 1',
    'Cust = 1',
  ]) {
    assert.equal(rewriteQuery(query, one), query);
  }
  const none = fakeSealed(['k1'], []);
  assert.equal(rewriteQuery("Customer = 'x' --", none), "Customer = 'x' --");
  assert.equal(rewriteQuery("Keyword01 = 'x' --", none), "Keyword01 = 'x' --");
});

test('with one key the value alone is replaced', () => {
  for (const [query, rewritten] of [
    [`Customer = 'acme'`, `Customer = 'k1.C.acme'`],
    [`Customer="acme"`, `Customer='k1.C.acme'`],
    [`Customer <> 'acme'`, `Customer <> 'k1.C.acme'`],
    [`  Customer  !=\n'acme'\t`, `  Customer  !=\n'k1.C.acme'\t`],
    [`Customer IN ('a', "b")`, `Customer IN ('k1.C.a', 'k1.C.b')`],
    [`Customer not in('a')`, `Customer not in('k1.C.a')`],
    [`NOT Customer = 'a'`, `NOT Customer = 'k1.C.a'`],
    ['`Customer` = "a"', "`Customer` = 'k1.C.a'"],
    ['`Cust``omer` = "a"', "`Cust``omer` = 'k1.C.a'"],
    ['`Cust Name` = "a"', "`Cust Name` = 'k1.C.a'"],
    [`Customer IS NULL AND Tags IS NOT NULL`, `Customer IS NULL AND Tags IS NOT NULL`],
    [`Customer = 'a' AND Region = "Customer" `, `Customer = 'k1.C.a' AND Region = "Customer" `],
    [
      `(Tags = 'a' OR Region STARTS_WITH 'e') GROUP BY ExecutionStatus`,
      `(Tags = 'k1.T.a' OR Region STARTS_WITH 'e') GROUP BY ExecutionStatus`,
    ],
    [`WorkflowId = 'Customer'`, `WorkflowId = 'Customer'`],
    [`CustomerName > 5 ORDER BY CustomerName`, `CustomerName > 5 ORDER BY CustomerName`],
  ] as const) {
    assert.equal(rewriteQuery(query, one), rewritten);
  }
});

test('with several keys the value becomes all of its texts', () => {
  for (const [query, rewritten] of [
    [`Customer = 'a'`, `Customer IN ('k2.C.a','k1.C.a')`],
    [`Customer='a'`, `Customer IN('k2.C.a','k1.C.a')`],
    [`Customer<>'a'OR Region='x'`, `Customer NOT IN('k2.C.a','k1.C.a')OR Region='x'`],
    ['`Customer`!="a"', "`Customer` NOT IN('k2.C.a','k1.C.a')"],
    [`Customer IN ('a','b')`, `Customer IN ('k2.C.a','k1.C.a','k2.C.b','k1.C.b')`],
    [`Customer NOT IN ('a')`, `Customer NOT IN ('k2.C.a','k1.C.a')`],
    [`NOT Customer = 'a' AND x = 1`, `NOT Customer IN ('k2.C.a','k1.C.a') AND x = 1`],
    [`Customer IS NULL`, `Customer IS NULL`],
  ] as const) {
    assert.equal(rewriteQuery(query, two), rewritten);
  }
});

test('what a sealed attribute cannot answer is refused by its name and the operator', () => {
  for (const [query, what] of [
    [`Customer < 'a'`, '<'],
    [`Customer >= 'a'`, '>='],
    [`Customer BETWEEN 'a' AND 'b'`, 'BETWEEN'],
    [`Customer not between 'a' AND 'b'`, 'NOT BETWEEN'],
    [`Region = 'x' OR Customer starts_with 'a'`, 'STARTS_WITH'],
    [`Customer NOT STARTS_WITH 'a'`, 'NOT STARTS_WITH'],
    ['GROUP BY Customer', 'GROUP BY'],
    ['Region = 1 ORDER BY StartTime, `Customer` DESC', 'ORDER BY'],
    ['Customer = 5', 'a comparison with a number'],
    ["Customer IN ('a', -5)", 'a comparison with a number'],
    ['Customer != true', 'a comparison with a boolean'],
    ['Region = Customer', '= with a name on the right'],
    ['Customer = Region', '= with a name on the right'],
    ['Customer IN (`Region`)', 'IN with a name on the right'],
  ] as const) {
    assert.equal(refusalOf(query), `filter_refused Customer is sealed and does not answer ${what}`, query);
  }
});

test('values that cannot be asked for are refused', () => {
  assert.equal(
    refusalOf(`Customer = '${'x'.repeat(21)}'`),
    'filter_refused a value for Customer is too long',
  );
  for (const value of [`"'x"`, `"x'"`, `'\\''`, `''''`]) {
    assert.match(
      refusalOf(`Customer = ${value}`),
      /^filter_refused a value for Customer begins or ends with/,
    );
  }
  assert.equal(rewriteQuery(`Customer = "o'k"`, fakeSealed(['k'])).includes("o'k"), false);
});

test('a query that names a sealed attribute and is not understood is refused, with the place', () => {
  for (const [query, what] of [
    [`Customer = 'a' -- x`, 'a comment, at character 16'],
    [`(Customer) = 'a'`, 'something else than an operator of visibility queries, at character 10'],
    [`'a' = Customer`, 'something else than the name of a search attribute, at character 1'],
    [`Customer = 'a') OR (Region = 'x'`, 'something else than AND, OR or the end, at character 15'],
    ['Region = Other AND Customer IS NULL', 'a name where a value is expected, at character 10'],
    ['WorkflowId = "Customer" LIMIT 5', 'something else than AND, OR or the end, at character 25'],
  ] as const) {
    assert.equal(refusalOf(query), `query_refused ${what}`, query);
  }
});

test('T-083 names that the engine, or a reader, takes for a sealed one do not slip through', () => {
  for (const name of ['customer', '`CUSTOMER`', 'TemporalCustomer', '` Customer `', 'temporalcustomer']) {
    assert.equal(
      refusalOf(`${name} = 'a'`),
      'filter_refused Customer is sealed, and must be written exactly so',
      name,
    );
  }
  // Columns of the store, which the engine takes for names.
  for (const name of [
    'Keyword01',
    '`Key``word10`',
    'KeywordList03',
    'TemporalKeyword02',
    'TemporalKeywordList01',
  ]) {
    assert.match(refusalOf(`${name} STARTS_WITH 'gh1.'`), /^filter_refused a column of the store/, name);
  }
  assert.equal(
    refusalOf(`Keyword1 = 'a' AND Keyword011 = 'b'`),
    `returned: Keyword1 = 'a' AND Keyword011 = 'b'`,
  );
  const dotted = fakeSealed(['k1'], ['a.b']);
  assert.equal(rewriteQuery("`a.b` = 'x'", dotted), `\`a.b\` = '${dotted.seal('a.b', 'x')}'`);
  for (const name of ['a.b', '`a`.`b`', '`a` . b']) {
    assert.match(refusalOf(`${name} = 'x'`, { ...one, ...dotted }), /^query_refused a name with a dot/, name);
  }
});

test('a name that the engine reads in small letters needs backticks', () => {
  const sealed = fakeSealed(['k1'], ['Status']);
  assert.throws(
    () => rewriteQuery("Status = 'x'", sealed),
    /a word of the query language, which needs backticks/,
  );
  assert.equal(rewriteQuery("`Status` = 'x'", sealed), `\`Status\` = '${sealed.seal('Status', 'x')}'`);
});

test('no refusal repeats what the caller wrote', () => {
  for (const query of [
    `Customer = '${CANARY}' ${CANARY}`,
    `Customer = ${CANARY}`,
    `Customer > '${CANARY}'`,
    `Customer = '${CANARY.repeat(40)}'`,
    `${CANARY} = Other OR Customer IS NULL`,
    `Customer = '${CANARY}`,
    `customer = '${CANARY}'`,
  ]) {
    assert.doesNotMatch(refusalOf(query), new RegExp(`returned|${CANARY}`), query);
  }
});

test('a list that would grow beyond all bounds is refused before it is sealed to its end', () => {
  let sealedValues = 0;
  const counting = {
    ...one,
    sealAll: (_: string, value: string) => {
      sealedValues += 1;
      return [`${value}${'x'.repeat(250)}`];
    },
  };
  const list = new Array(4000).fill("'a'").join(',');
  assert.throws(() => rewriteQuery(`Customer IN (${list})`, counting), /too many values for sealed/);
  assert.ok(sealedValues < 1100);
});

test('without a key, or with texts that would need escapes, nothing is sent', () => {
  assert.equal(refusalOf(`Customer = 'a'`, readable()).slice(0, 22), 'encryption_unavailable');
  assert.match(refusalOf(`Customer = 'it"s'`), /^internal/);
});

const rewrittenCondition = (query: string): Condition => {
  const { where } = parseQuery(tokenizeQuery(query));
  assert.ok(where);
  return where;
};

test('over sealed rows the rewritten query finds what the query finds over rows in clear', () => {
  const table = fc.array(fc.tuple(rows, fc.constantFrom('k1', 'k2')), { minLength: 1, maxLength: 12 });
  for (const keys of [['k1'], ['k2', 'k1']]) {
    const sealed = fakeSealed(keys);
    fc.assert(
      fc.property(conditions(true), styles, table, (condition, style, written) => {
        const rewritten = rewriteQuery(writeQuery(condition, style), sealed);
        const asked = rewrittenCondition(rewritten);
        for (const [row, key] of written) {
          const stored = sealRow(row, sealed, keys.includes(key) ? key : 'k1');
          assert.equal(matches(asked, stored), matches(condition, row), rewritten);
        }
      }),
      { numRuns: 500 },
    );
  }
});

test('T-083 no value that is compared with a sealed attribute is in what is returned', () => {
  let refused = 0;
  let returned = 0;
  fc.assert(
    fc.property(conditions(false), styles, fc.boolean(), (condition, style, both) => {
      const query = writeQuery(condition, style);
      try {
        assert.doesNotMatch(
          rewriteQuery(query, fakeSealed(both ? ['k2', 'k1'] : ['k1'])),
          new RegExp(CANARY),
        );
        returned += 1;
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code === 'filter_refused', query);
        refused += 1;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(refused > 100 && returned > 100);
});

test('every byte but operators and values of sealed attributes stays', () => {
  fc.assert(
    fc.property(conditions(true), styles, (condition, style) => {
      const query = writeQuery(condition, style);
      const rewritten = rewriteQuery(query, fakeSealed(['k1']));
      const before = tokenizeQuery(query);
      const after = tokenizeQuery(rewritten);
      assert.equal(after.length, before.length);
      let [from, to] = [0, 0];
      after.forEach((token, at) => {
        const was = before[at];
        assert.ok(was);
        assert.equal(rewritten.slice(to, token.start), query.slice(from, was.start));
        const text = rewritten.slice(token.start, token.end);
        if (!text.startsWith("'gh1.")) assert.equal(text, query.slice(was.start, was.end));
        from = was.end;
        to = token.end;
      });
    }),
  );
});

test('the time grows with the length of a query alone', () => {
  const length = 250_000;
  for (const piece of [
    '(',
    'NOT ',
    "'",
    '`',
    '\\',
    '``',
    "''",
    "'\\",
    'a=1 OR ',
    '/*',
    '--',
    ' ',
    "'a',",
    'é',
    'keyword',
    '0',
    '.',
  ]) {
    for (const head of ['Customer = ', "Customer = '", "Customer IN ('", '']) {
      const query = `${head}${piece.repeat(length / piece.length)}${sealedNames[0]}`;
      const began = performance.now();
      try {
        rewriteQuery(query, one);
      } catch (error) {
        assert.ok(error instanceof Refusal);
      }
      assert.ok(performance.now() - began < 1500, `${head}${piece}`);
    }
  }
});
