import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributeProblem } from './attribute-problem.ts';

test('texts that are compared as a whole can be sealed, and nothing else', () => {
  assert.equal(attributeProblem('Keyword'), undefined);
  assert.equal(attributeProblem('KeywordList'), undefined);
  for (const type of ['Text', 'Int', 'Double', 'Bool', 'Datetime']) {
    assert.match(attributeProblem(type) ?? '', new RegExp(`^${type} .*: use Keyword, or leave it in clear$`));
  }
  for (const type of ['', 'keyword', 'Unspecified', 'constructor', 'toString']) {
    assert.match(attributeProblem(type) ?? '', /no search attribute of this type/);
  }
});
