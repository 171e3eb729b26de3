import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBoundedMap } from './bounded-map.ts';

test('it forgets what was not asked for longest', () => {
  const map = createBoundedMap<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  assert.equal(map.get('a'), 1);
  map.set('c', 3);
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [1, undefined, 3, 2]);
});

test('it behaves as a list that is kept in the order of use', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.record({ name, write: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, sizeMax) => {
      const map = createBoundedMap<number>(sizeMax);
      let model: { name: string; value: number }[] = [];
      steps.forEach(({ name, write }, value) => {
        const known = model.find((each) => each.name === name);
        assert.equal(map.get(name), known?.value);
        const next = write ? { name, value } : known;
        if (write) map.set(name, value);
        if (next !== undefined) model = [...model.filter((each) => each.name !== name), next].slice(-sizeMax);
        assert.equal(map.size, model.length);
      });
    }),
  );
});

test('it is empty after clear, and holds one entry at least', () => {
  const map = createBoundedMap<number>(1);
  map.set('a', 1);
  map.clear();
  assert.deepEqual([map.size, map.get('a')], [0, undefined]);
  for (const size of [0, -1, Number.NaN]) assert.throws(() => createBoundedMap(size), RangeError);
});
