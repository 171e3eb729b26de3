import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { parseRequestTarget } from './request-target.ts';

const refused = [
  '/namespaces//workflows',
  '//namespaces/orders.acme1',
  '/namespaces/orders.acme1/workflows/',
  '/namespaces/../cluster',
  '/namespaces/%2e%2e/cluster',
  '/namespaces/./x',
  '/namespaces/orders.acme1%2fworkflows',
  '/namespaces/orders.acme1%2Fworkflows',
  '/namespaces/a%00b',
  '/namespaces/a%0d%0ab',
  '/namespaces/a%',
  '/namespaces/a%zz',
  '/namespaces/%ff',
  '/namespaces/%c0%ae%c0%ae/cluster',
  'https://other.acme1.gatehouse.test/namespaces/x',
  '*',
  '',
];

for (const target of refused) {
  test(`T-023 the target ${JSON.stringify(target)} is refused`, () => {
    assert.throws(() => parseRequestTarget(target), isInvalid);
  });
}

test('T-023 what is encoded twice is decoded once, and matrix parameters are part of their segment', () => {
  assert.deepEqual(parseRequestTarget('/namespaces/a%252fb/x;v=1').segments, [
    'namespaces',
    'a%2fb',
    'x;v=1',
  ]);
});

test('a query is read as a form: repeated names, plus for a space, values with an equals sign', () => {
  assert.deepEqual(parseRequestTarget('/a?q=x+y%2B1&q=a%3Db=c&pretty&=z&').query, [
    ['q', 'x y+1'],
    ['q', 'a=b=c'],
    ['pretty', ''],
    ['', 'z'],
  ]);
  assert.throws(() => parseRequestTarget('/a?q=%'), isInvalid);
});

test('any target is read or refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        parseRequestTarget(text);
      } catch (error) {
        assert.ok(isInvalid(error));
      }
    }),
  );
});

function isInvalid(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'input_invalid';
}
