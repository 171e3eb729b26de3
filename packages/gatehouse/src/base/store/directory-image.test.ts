import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import type { NamespaceTable } from './database/schema.ts';
import { applyChanges, type DirectoryImage, DirectoryRewoundError } from './directory-image.ts';

function row(id: string, revision: number, more: Partial<NamespaceTable> = {}): NamespaceTable {
  return {
    id,
    uuid: `uuid-of-${id}`,
    account: 'local',
    region: 'aws-local',
    state: 'active',
    retention_days: 7,
    engine_id: null,
    ca_bundle_pem: 'pem',
    certificate_filters: '[{"commonName":"worker"}]',
    allow_tls12: 0,
    nexus_endpoints: '[]',
    nexus_peers: '[]',
    audit_mode: 'relaxed',
    sealing: 'on',
    sealed_attributes: '[]',
    kms_key: '',
    client_encryption: 'off',
    plaintext_allowed: '[]',
    limits: '{}',
    created_at_ms: 1,
    revision,
    ...more,
  };
}

function apply(before: DirectoryImage | undefined, revision: number, rows: NamespaceTable[], whole: boolean) {
  const changes = { lineage: 'one', revision, rows: { namespaces: rows, namespaceKeys: [], tokenKeys: [] } };
  return applyChanges(before, changes, whole, silentLog);
}

const start = apply(undefined, 3, [row('a', 1), row('b', 2), row('c', 3)], true);

test('of ten thousand namespaces a change of one makes one new record', () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => row(`ns${index}`, index + 1));
  const large = apply(undefined, 10_000, rows, true);
  const after = apply(large.image, 10_001, [row('ns7', 10_001, { retention_days: 8 })], false);
  assert.deepEqual(after.changedIds, ['ns7']);
  for (const [id, record] of large.image.namespaces) {
    assert.equal(after.image.namespaces.get(id) === record, id !== 'ns7');
  }
});

test('a whole reading that finds the same gives the same objects and tells of nothing', () => {
  const after = apply(start.image, 3, [row('a', 1), row('b', 2), row('c', 3)], true);
  assert.deepEqual(after.changedIds, []);
  assert.equal(after.image.namespaces, start.image.namespaces);
});

test('a whole reading finds what is gone, what is new, and what differs at the same revision', () => {
  const after = apply(
    start.image,
    9,
    [row('a', 1), row('b', 2, { ca_bundle_pem: 'other' }), row('d', 9)],
    true,
  );
  assert.deepEqual([...after.changedIds].sort(), ['b', 'c', 'd']);
  assert.deepEqual([...after.image.namespaces.keys()], ['a', 'b', 'd']);
  assert.equal(after.image.namespaces.get('a'), start.image.namespaces.get('a'));
});

test('T-054 a tombstone removes its own incarnation only, in whatever order both are read', () => {
  const tombstone = row('a', 4, { state: 'deleted' });
  const again = row('a', 5, { uuid: 'another' });
  for (const rows of [
    [tombstone, again],
    [again, tombstone],
  ]) {
    assert.equal(apply(start.image, 5, rows, false).image.namespaces.get('a')?.uuid, 'another');
  }
  assert.equal(apply(start.image, 4, [tombstone], false).image.namespaces.has('a'), false);
});

test('an older revision and another database are refused', () => {
  assert.throws(() => apply(start.image, 2, [], true), DirectoryRewoundError);
  assert.throws(
    () => applyChanges(start.image, { lineage: 'two', revision: 9 }, false, silentLog),
    DirectoryRewoundError,
  );
});

test('rows that cannot be read close their namespaces', () => {
  const bad: Partial<NamespaceTable>[] = [
    { certificate_filters: 'no json' },
    { certificate_filters: '{}' },
    { certificate_filters: '[{}]' },
    { certificate_filters: '[{"commonName":1}]' },
    { certificate_filters: '[{"unknownCondition":"x"}]' },
    { nexus_endpoints: '[1]' },
    { audit_mode: 'lenient' as 'relaxed' },
    { state: 'frozen' as 'active' },
    { sealing: 'sometimes' as 'on' },
    { client_encryption: '' as 'off' },
    { sealed_attributes: '{}' },
  ];
  for (const more of bad) {
    const after = apply(start.image, 4, [row('a', 4, more)], false);
    assert.equal(after.image.namespaces.has('a'), false, JSON.stringify(more));
    assert.deepEqual(after.changedIds, ['a']);
  }
});
