import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, silentLog } from '#base/runtime/log';
import { applyKeys, type KeysByNamespace } from './apply-keys.ts';
import type { NamespaceKeyTable, NamespaceTable } from './database/schema.ts';

function row(id: string, uuid: string, more: Partial<NamespaceKeyTable> = {}): NamespaceKeyTable {
  return {
    id,
    namespace_uuid: uuid,
    ordinal: 1,
    purpose: 'payload',
    created_at_ms: 1,
    kms_key_id: 'local:key',
    wrapped: `wrapped-${id}`,
    state: 'active',
    revision: 1,
    ...more,
  };
}

function apply(
  before: KeysByNamespace,
  namespaceKeys: NamespaceKeyTable[],
  whole: boolean,
  deleted: readonly string[] = [],
) {
  const namespaces = deleted.map((uuid) => ({ uuid, state: 'deleted' }) as NamespaceTable);
  return applyKeys(before, { namespaces, namespaceKeys }, whole, silentLog);
}

const { keys: start } = apply(new Map(), [row('a1', 'a'), row('a2', 'a'), row('b1', 'b')], true);

test('a whole reading that finds the same gives the same objects and tells of nothing', () => {
  const after = apply(start, [row('a1', 'a'), row('a2', 'a'), row('b1', 'b')], true);
  assert.equal(after.keys, start);
  assert.equal(after.changedUuids.size, 0);
});

test('a whole reading finds what is gone and what differs', () => {
  const after = apply(start, [row('a1', 'a'), row('a2', 'a', { wrapped: 'other' })], true);
  assert.deepEqual([...after.changedUuids].sort(), ['a', 'b']);
  assert.deepEqual([...after.keys.keys()], ['a']);
  assert.equal(
    after.keys.get('a')?.[0],
    start.get('a')?.[0],
    'the key that is the same stays the same object',
  );
});

test('a change replaces a key in its place, adds new ones at the end, and touches no other list', () => {
  const after = apply(start, [row('a1', 'a', { wrapped: '', state: 'destroyed' }), row('a3', 'a')], false);
  assert.deepEqual(
    after.keys.get('a')?.map(({ id, wrapped, state }) => [id, wrapped, state]),
    [
      ['a1', '', 'destroyed'],
      ['a2', 'wrapped-a2', 'active'],
      ['a3', 'wrapped-a3', 'active'],
    ],
  );
  assert.equal(after.keys.get('b'), start.get('b'));
  assert.deepEqual([...after.changedUuids], ['a']);
  assert.equal(start.get('a')?.length, 2, 'an old list stays as it was');
});

test('with its namespace its keys go', () => {
  const after = apply(start, [], false, ['b', 'never-had-any']);
  assert.deepEqual([...after.keys.keys()], ['a']);
  assert.deepEqual([...after.changedUuids], ['b']);
});

test('a row that contradicts itself is left out, also where it could be read before', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', write: (line) => lines.push(line) });
  for (const more of [{ state: 'destroyed' }, { wrapped: '' }, { purpose: 'x' as 'payload' }] as const) {
    const rows = { namespaces: [], namespaceKeys: [row('a1', 'a', more)] };
    const { keys } = applyKeys(start, rows, false, log);
    assert.deepEqual(
      keys.get('a')?.map(({ id }) => id),
      ['a2'],
    );
  }
  assert.equal(lines.length, 3);
  assert.ok(lines.every((line) => line.includes('a1') && !line.includes('wrapped-a1')));
});

test('ten thousand namespaces hold the name of their KMS key once', () => {
  const name = (): string => ['arn:aws:kms:eu-west-1:1', 'key/1'].join(':');
  const rows = Array.from({ length: 10_000 }, (_, index) =>
    row(`k${index}`, `ns${index}`, { kms_key_id: name() }),
  );
  const { keys } = apply(new Map(), rows, true);
  const names = new Set([...keys.values()].flat().map(({ kmsKeyId }) => kmsKeyId));
  assert.equal(keys.size, 10_000);
  assert.deepEqual([...names], [name()]);
});
