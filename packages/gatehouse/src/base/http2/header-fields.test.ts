import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldOf, fieldsByName } from './header-fields.ts';

const FIELDS = ['a', '1', 'b', '', 'a', '2', '__proto__', 'x', 'constructor', 'y', 'a', ''];

test('a field that was sent several times has its values joined, in order', () => {
  assert.equal(fieldOf(FIELDS, 'a'), '1, 2, ');
  assert.equal(fieldsByName(FIELDS)['a'], '1, 2, ');
});

test('a field that was sent empty differs from one that was not sent', () => {
  assert.deepEqual([fieldOf(FIELDS, 'b'), fieldOf(FIELDS, 'c')], ['', undefined]);
  assert.deepEqual([fieldsByName(FIELDS)['b'], fieldsByName(FIELDS)['c']], ['', undefined]);
});

test('a value is no name', () => {
  assert.equal(fieldOf(['name', 'value', 'value', 'other'], 'value'), 'other');
  assert.equal(fieldOf(['name', 'value'], 'value'), undefined);
});

test('T-030a names that every object has are names like others', () => {
  const byName = fieldsByName(FIELDS);
  assert.equal(Object.getPrototypeOf(byName), null);
  const values = ['__proto__', 'constructor', 'toString'].map((name) => byName[name]);
  assert.deepEqual(values, ['x', 'y', undefined]);
  assert.equal(fieldOf(FIELDS, '__proto__'), 'x');
});
