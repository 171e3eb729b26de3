import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  isReservedIdentity,
  isReservedSearchAttribute,
  isReservedTaskQueue,
  isReservedWorkflowId,
  isReservedWorkflowType,
  reachesReserved,
} from './reserved-names.ts';

const OWN = 'orders.acme1';

test('T-101b ids and types of the engine are reserved, whatever follows the prefix', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (rest) => {
      assert.ok(isReservedWorkflowId(`temporal-sys-${rest}`));
      assert.ok(isReservedWorkflowType(`temporal-sys-${rest}`));
      assert.ok(isReservedTaskQueue(`temporal-sys-${rest}`, OWN));
    }),
  );
  for (const id of [
    'temporal-sys-scheduler:orders',
    'temporal-sys-worker-deployment:orders',
    'temporal-sys-worker-deployment-version:orders:1',
  ]) {
    assert.ok(isReservedWorkflowId(id));
  }
  for (const type of [
    'temporal-sys-batch-workflow-protobuf',
    'temporal-sys-scheduler-workflow',
    'temporal-sys-worker-deployment-workflow',
  ]) {
    assert.ok(isReservedWorkflowType(type));
  }
});

test("T-101b names are compared as the engine does, byte for byte: what it does not reserve is the tenant's", () => {
  for (const name of [
    'Temporal-sys-x',
    ' temporal-sys-x',
    'temporal-system',
    'temporal-sy',
    'my-temporal-sys-x',
    '',
  ]) {
    assert.equal(isReservedWorkflowId(name), false, name);
    assert.equal(isReservedWorkflowType(name), false, name);
    assert.equal(isReservedTaskQueue(name, OWN), false, name);
  }
});

test('T-101a partitions of other queues are reserved, and worker commands but those of the own namespace', () => {
  assert.ok(isReservedTaskQueue('/_sys/orders/1', OWN));
  assert.ok(isReservedTaskQueue('/_sys/temporal-sys-per-ns-tq/1', OWN));
  assert.ok(isReservedTaskQueue('/temporal-sys/worker-commands/other.acme1/x', OWN));
  assert.ok(isReservedTaskQueue(`/temporal-sys/worker-commands/${OWN}`, OWN));
  assert.ok(isReservedTaskQueue(`/temporal-sys/worker-commands/${OWN}x/y`, OWN));
  assert.ok(isReservedTaskQueue('/temporal-sys/other', OWN));
  assert.equal(isReservedTaskQueue(`/temporal-sys/worker-commands/${OWN}/x`, OWN), false);
  assert.equal(isReservedTaskQueue('/sys/orders', OWN), false);
});

test("T-101b the engine's identity is reserved", () => {
  assert.ok(isReservedIdentity('temporal-system'));
  assert.ok(isReservedIdentity('temporal-system@host'));
  assert.equal(isReservedIdentity('1@host@orders'), false);
});

test('T-101b attributes of the engine are reserved, but those that SDKs set or carry over', () => {
  for (const name of [
    'TemporalNamespaceDivision',
    'TemporalPauseInfo',
    'TemporalAnything',
    'BatcherUser',
    'BatcherNamespace',
  ]) {
    assert.ok(isReservedSearchAttribute(name), name);
  }
  for (const name of [
    'TemporalChangeVersion',
    'TemporalScheduledStartTime',
    'TemporalScheduledById',
    'Customer',
    'BuildIds',
  ]) {
    assert.equal(isReservedSearchAttribute(name), false, name);
  }
});

test("T-101b a batch query that can reach the engine's own workflows is known in each way the engine reads it", () => {
  for (const query of [
    `TemporalNamespaceDivision = 'TemporalScheduler'`,
    `NamespaceDivision = 'TemporalScheduler'`,
    'WorkflowType = "a" OR `TemporalNamespaceDivision` IS NOT NULL',
    'TemporalNamespace``Division IS NOT NULL',
    '`Namespace``Division` IS NOT NULL',
    'temporalnamespacedivision = "x"',
  ]) {
    assert.ok(reachesReserved(query), query);
  }
  for (const query of ['', `WorkflowType = 'orders'`, `WorkflowId STARTS_WITH 'temporal-sys-'`]) {
    assert.equal(reachesReserved(query), false, query);
  }
});
