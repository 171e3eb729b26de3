import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { namespaceRecord } from '#testing/namespace-record';
import { nexusPeers, rememberNexusPeers } from './nexus-peers.ts';

function recordOf(name: string, nexusEndpoints: readonly string[] = []): NamespaceRecord {
  return namespaceRecord({ id: `${name}.acme1`, uuid: `0190-${name}`, nexusEndpoints, sealing: 'on' });
}

function snapshotOf(...records: readonly NamespaceRecord[]) {
  return {
    revision: 1,
    confirmedAtMs: 0,
    namespaces: new Map(records.map((record) => [record.id, record])),
  };
}

const endpoint = (name: string, target: string) => ({ name, namespace: `${target}.acme1`, taskQueue: 'q' });
const namesOf = (records: readonly NamespaceRecord[]): string[] => records.map(({ uuid }) => uuid.slice(5));

const [caller, second] = [recordOf('caller', ['pay', 'self']), recordOf('second', ['pay'])];
const [handler, other] = [recordOf('handler'), recordOf('other', ['nowhere'])];
const endpoints = [endpoint('pay', 'handler'), endpoint('self', 'caller'), endpoint('unused', 'other')];
const everybody = snapshotOf(caller, second, handler, other);

test('a caller and its handlers are peers of each other, and two callers of one handler are not', () => {
  const peersOf = nexusPeers(() => everybody, endpoints);
  assert.deepEqual(namesOf(peersOf(caller)), ['handler']);
  assert.deepEqual(namesOf(peersOf(second)), ['handler']);
  assert.deepEqual(namesOf(peersOf(handler)), ['caller', 'second']);
});

test('T-079a an endpoint that nobody lists, or that is not configured, connects nobody', () => {
  assert.deepEqual(nexusPeers(() => everybody, endpoints)(other), []);
  for (const record of [caller, handler]) assert.deepEqual(nexusPeers(() => everybody, [])(record), []);
});

test('a change of the directory counts from the next question on', () => {
  let now = everybody;
  const peersOf = nexusPeers(() => now, endpoints);
  const before = peersOf(handler);
  assert.equal(peersOf(handler), before);
  now = snapshotOf(recordOf('caller'), second, handler, recordOf('other', ['pay']));
  assert.deepEqual(namesOf(peersOf(handler)), ['second', 'other']);
  now = snapshotOf(handler);
  assert.deepEqual(peersOf(handler), []);
});

test('who was called once stays a peer on both sides, in the incarnation of then', () => {
  const before = { ...other, nexusPeers: [handler.uuid, '0190-gone'] };
  const peersOf = nexusPeers(() => snapshotOf(before, handler, second), []);
  assert.deepEqual(namesOf(peersOf(before)), ['handler']);
  assert.deepEqual(namesOf(peersOf(handler)), ['other']);
  assert.deepEqual(namesOf(peersOf(second)), []);
  const again = { ...handler, uuid: '0191-handler' };
  assert.deepEqual(nexusPeers(() => snapshotOf(before, again), [])(before), []);
});

test('every connection is written down once', async () => {
  const written: unknown[] = [];
  const directory = (...records: readonly NamespaceRecord[]) => ({
    snapshot: () => snapshotOf(...records),
    write: {
      async addNexusPeers(id: string, uuids: readonly string[]) {
        written.push([id, uuids]);
        return caller;
      },
    },
  });
  await rememberNexusPeers(directory(caller, second, handler, other), endpoints);
  assert.deepEqual(written.splice(0), [
    [caller.id, [handler.uuid]],
    [second.id, [handler.uuid]],
  ]);
  const known = { ...caller, nexusPeers: [handler.uuid] };
  await rememberNexusPeers(directory(known, handler), endpoints);
  await rememberNexusPeers(directory(caller, handler), []);
  assert.deepEqual(written, []);
});
