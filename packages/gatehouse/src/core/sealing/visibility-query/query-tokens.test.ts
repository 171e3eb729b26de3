import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { conditions, styles, writeQuery } from './query-model-fixture.test.ts';
import { tokenizeQuery } from './query-tokens.ts';

const kinds = (query: string): string[] =>
  tokenizeQuery(query)
    .slice(0, -1)
    .map(({ kind, text }) => `${kind} ${text}`);

test('a query is the sum of its tokens and the white space between them', () => {
  fc.assert(
    fc.property(conditions(false), styles, (condition, style) => {
      const query = writeQuery(condition, style);
      let from = 0;
      for (const { start, end } of tokenizeQuery(query)) {
        assert.match(query.slice(from, start), /^[ \t\r\n]*$/);
        from = end;
      }
      assert.equal(from, query.length);
    }),
  );
});

test('whatever the text, it is split without a gap or refused, and a string keeps what it stands for', () => {
  const text = fc.string({ unit: fc.constantFrom(...'aN0.e-+\'"`\\()=<>!,#/*;@ \n\0é😀') });
  fc.assert(
    fc.property(text, (query) => {
      try {
        const tokens = tokenizeQuery(query);
        assert.equal(tokens.at(-1)?.start, query.length);
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code === 'query_refused');
      }
    }),
    { numRuns: 2000 },
  );
});

test('quotes and escapes are those of the engine', () => {
  for (const [query, text] of [
    [`'it''s'`, "it's"],
    [`"it's"`, "it's"],
    [`'say "x"'`, 'say "x"'],
    [`"say ""x"""`, 'say "x"'],
    [String.raw`'a\'b\"c\\d'`, `a'b"c\\d`],
    [String.raw`'\0\b\n\r\t\Z'`, '\0\b\n\r\t\x1a'],
    // Not as in MySQL, where these two keep their backslash.
    [String.raw`'\%\_\x'`, '%_x'],
    [String.raw`'\é\😀'`, 'é😀'],
    [`''`, ''],
    [`'a\nb -- /* # ;'`, 'a\nb -- /* # ;'],
  ] as const) {
    assert.deepEqual(kinds(query), [`string ${text}`], query);
  }
});

test('names in backticks lose every backtick, as in the engine', () => {
  assert.deepEqual(kinds('`Cust Name`'), ['name Cust Name']);
  assert.deepEqual(kinds('`Cust``omer`'), ['name Customer']);
  assert.deepEqual(kinds("`it's`=5"), ["name it's", 'symbol =', 'number 5']);
});

test('operators are as long as they can be, and nothing needs white space', () => {
  assert.deepEqual(kinds("a<=5 AND b<>'x'OR`c`!=.5"), [
    'word a',
    'symbol <=',
    'number 5',
    'word AND',
    'word b',
    'symbol <>',
    'string x',
    'word OR',
    'name c',
    'symbol !=',
    'number .5',
  ]);
  assert.deepEqual(kinds('x > -1.5e+3'), ['word x', 'symbol >', 'symbol -', 'number 1.5e+3']);
});

test('what could be read in two ways is refused, with its place and without the text', () => {
  for (const [query, detail] of [
    ["a = 'x' -- y", 'a comment, at character 9'],
    ["a = 'x' # y", 'a comment, at character 9'],
    ["a = 'x' // y", 'a comment, at character 9'],
    ["a = /* y */ 'x'", 'a comment, at character 5'],
    ["a = /*! 'x' */", 'a comment, at character 5'],
    ["a = 'x';", 'a semicolon, at character 8'],
    ["a = 'x", 'a text without its closing quote, at character 5'],
    [String.raw`a = 'x\'`, 'a text without its closing quote, at character 5'],
    ["a = '", 'a text without its closing quote, at character 5'],
    ["a = '\\", 'a text without its closing quote, at character 5'],
    ['`a = 1', 'a name without its closing backtick, at character 1'],
    ['`a`` = 1', 'a name without its closing backtick, at character 1'],
    ['`` = 1', 'a name that is empty, at character 1'],
    ['```` = 1', 'a name that is empty, at character 1'],
    ['t.a = 1', 'a name with a dot, which needs backticks around all of it, at character 2'],
    ['a = 5x', 'a number that does not end, at character 5'],
    ['a = 0x41', 'a number that does not end, at character 5'],
    ['a = 1.2.3', 'a number that does not end, at character 5'],
    ['a = 1e', 'a number that is not complete, at character 5'],
    ['a <=> 1', 'an operator that visibility queries do not have, at character 3'],
    ['@a = 1', 'a character that belongs into quotes, at character 1'],
    ['a@b = 1', 'an @, at character 2'],
    ['a = 1 | b = 1', 'a character that belongs into quotes, at character 7'],
    ['a = ?', 'a character that belongs into quotes, at character 5'],
    ['a = :x', 'a character that belongs into quotes, at character 5'],
    ['!a = 1', 'a character that belongs into quotes, at character 1'],
    ['a\u00a0= 1', 'a character that belongs into quotes, at character 2'],
    ['a\v= 1', 'a character that belongs into quotes, at character 2'],
    ['a\0= 1', 'a character that belongs into quotes, at character 2'],
    ['é = 1', 'a character that belongs into quotes, at character 1'],
  ] as const) {
    assert.throws(
      () => tokenizeQuery(query),
      (error) =>
        error instanceof Refusal &&
        error.code === 'query_refused' &&
        error.message === `the visibility query is not accepted: ${detail}`,
      query,
    );
  }
});
