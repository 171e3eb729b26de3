import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits, type NamespaceLimits } from '#base/model/limits';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { callClassOf } from './call-class.ts';
import type { ConnectionLoad } from './connection-load.ts';
import { Limits } from './limits.ts';

const MIB = 1024 * 1024;
const of = (name: string) => callClassOf(`/temporal.api.workflowservice.v1.WorkflowService/${name}`);
const START = of('StartWorkflowExecution');
const POLL = of('PollWorkflowTaskQueue');
const LIST = of('ListWorkflowExecutions');
const DESCRIBE = of('DescribeWorkflowExecution');

function recordOf(id: string, limits: Partial<NamespaceLimits> = {}): NamespaceRecord {
  return { id, limits } as NamespaceRecord;
}

interface Site {
  nowMs: number;
  readonly limits: Limits;
  connect(record: NamespaceRecord): ConnectionLoad;
}

function makeSite(namespace: Partial<NamespaceLimits> = {}, sharedBy = 1): Site {
  const site: Site = {
    nowMs: 0,
    limits: new Limits(
      { now: () => 0, monotonicMs: () => site.nowMs },
      { ...defaultLimits, sharedBy, namespace: { ...defaultLimits.namespace, ...namespace } },
    ),
    connect(record) {
      const load = site.limits.connect(record);
      assert.ok(load);
      return load;
    },
  };
  return site;
}

/** How many of so many calls at once are admitted. */
function admitted(load: ConnectionLoad, record: NamespaceRecord, callClass = START, times = 1000, nowMs = 0) {
  let count = 0;
  for (let call = 0; call < times; call += 1) {
    if (load.admit(record, callClass, nowMs) === undefined) count += 1;
  }
  return count;
}

test('T-095b connections of a namespace share its calls, and a neighbour has his own', () => {
  const site = makeSite({ callsPerSecond: 10, burstSeconds: 2 });
  const [orders, billing] = [recordOf('orders.acme1'), recordOf('billing.other1')];
  const many = Array.from({ length: 50 }, () => site.connect(orders));
  const counts = many.map((load) => admitted(load, orders, START, 10));
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    20,
  );
  assert.equal(admitted(site.connect(billing), billing, START, 20), 20);
  assert.equal(admitted(site.connect(orders), orders, START, 100, 500), 5);
});

test('polls and searches run short first, starts last', () => {
  const site = makeSite({ callsPerSecond: 100, visibilityPerSecond: 1000, burstSeconds: 1 });
  const record = recordOf('orders.acme1');
  const load = site.connect(record);
  assert.equal(admitted(load, record, POLL, 1000), 75);
  assert.equal(admitted(load, record, LIST, 1000), 0);
  assert.equal(admitted(load, record, DESCRIBE, 1000), 13);
  assert.equal(admitted(load, record, START, 1000), 12);
});

test('searches have a rate of their own besides, and one that is refused leaves the calls alone', () => {
  const site = makeSite({ callsPerSecond: 100, visibilityPerSecond: 5, burstSeconds: 1 });
  const record = recordOf('orders.acme1');
  const load = site.connect(record);
  assert.equal(admitted(load, record, LIST), 5);
  assert.equal(load.admit(record, LIST, 0), 'namespace_rate_limit');
  assert.equal(admitted(load, record, START), 95);
});

test('T-095a polls and waits are held until they end, each kind to its limit, and refusals hold nothing', () => {
  const site = makeSite({ polls: 3, waits: 2 });
  const record = recordOf('orders.acme1');
  const load = site.connect(record);
  assert.equal(admitted(load, record, POLL, 150), 3);
  assert.equal(load.admit(record, POLL, 0), 'namespace_poller_limit');
  assert.equal(admitted(load, record, of('QueryWorkflow'), 150), 2);
  const history = of('GetWorkflowExecutionHistory');
  assert.equal(load.admitWait(history), undefined);
  assert.equal(load.admitWait(history), undefined);
  assert.equal(load.admitWait(history), 'namespace_poller_limit');
  assert.equal(load.admit(record, history, 0), undefined, 'one that does not wait holds nothing');
  load.release(history);
  assert.equal(load.admitWait(history), undefined);
  assert.equal(admitted(load, record, of('PollActivityTaskQueue'), 150), 3, 'each kind has its own places');
  assert.deepEqual([site.limits.use('orders.acme1')?.polls, site.limits.use('orders.acme1')?.waits], [6, 4]);
  load.release(POLL);
  assert.equal(load.admit(record, POLL, 0), undefined);
  assert.equal(load.admit(record, START, 0), undefined);
});

test('T-095a bytes of requests are bounded for a connection and for all of a namespace together', () => {
  const site = makeSite({ requestMebibytes: 96 });
  const record = recordOf('orders.acme1');
  const [one, other] = [site.connect(record), site.connect(record)];
  assert.equal(one.holdRequest(64 * MIB), undefined);
  assert.equal(one.holdRequest(1), 'memory_limit');
  one.releaseRequest(1);
  assert.equal(other.holdRequest(32 * MIB), undefined);
  assert.equal(other.holdRequest(1), 'namespace_memory_limit');
  other.releaseRequest(32 * MIB + 1);
  one.releaseRequest(64 * MIB);
  assert.equal(site.limits.use('orders.acme1')?.requestBytes, 0);
});

test('replies that nobody reads stop new calls at half of their limit, and themselves at the whole', () => {
  const site = makeSite({ replyMebibytes: 8 });
  const record = recordOf('orders.acme1');
  const load = site.connect(record);
  assert.equal(load.holdReply(100 * MIB), undefined, 'one always fits');
  assert.equal(load.holdReply(1), 'namespace_memory_limit');
  load.releaseReply(100 * MIB);
  assert.equal(load.holdReply(4 * MIB), undefined);
  assert.equal(load.admit(record, START, 0), undefined);
  assert.equal(load.holdReply(1), undefined);
  assert.equal(load.admit(record, START, 0), 'namespace_memory_limit');
  assert.equal(load.holdReply(4 * MIB - 1), undefined, 'for a call that was under way');
  assert.equal(load.holdReply(1), 'namespace_memory_limit');
});

test('connections are counted until they close, once each', () => {
  const site = makeSite({ connections: 2 });
  const record = recordOf('orders.acme1');
  const first = site.connect(record);
  site.connect(record);
  assert.equal(site.limits.connect(record), undefined);
  first.close();
  first.close();
  site.connect(record);
  assert.equal(site.limits.connect(record), undefined);
  assert.ok(site.limits.connect(recordOf('billing.other1')));
});

test('other limits of the namespace or of the platform hold from the next call on, on open connections too', () => {
  const site = makeSite({ callsPerSecond: 1000, burstSeconds: 1 });
  const load = site.connect(recordOf('orders.acme1'));
  const tight = recordOf('orders.acme1', { callsPerSecond: 2 });
  assert.equal(admitted(load, tight), 2);
  const limits = {
    ...defaultLimits,
    namespace: { ...defaultLimits.namespace, polls: 1, callsPerSecond: 1000 },
  };
  assert.equal(site.limits.set(limits), true);
  assert.equal(site.limits.set({ ...limits, namespace: { ...limits.namespace } }), false);
  const free = recordOf('orders.acme1');
  assert.equal(admitted(load, free, POLL, 100, 1000), 1);
});

test('T-095b processes that share the limits grant the limit together, and one alone its part', () => {
  const record = recordOf('orders.acme1');
  const parts = [1, 2, 3].map(() => makeSite({ callsPerSecond: 90, burstSeconds: 1, polls: 10 }, 3));
  const calls = parts.map((site) => admitted(site.connect(record), record));
  assert.deepEqual(calls, [30, 30, 30]);
  // Whole numbers are rounded up: at most one more for each process.
  const polls = parts.map((site) => admitted(site.connect(record), record, POLL, 100, 60_000));
  assert.deepEqual(polls, [4, 4, 4]);
});

test('a namespace that is gone is forgotten with its last connection, and no other', () => {
  const site = makeSite();
  const load = site.connect(recordOf('orders.acme1'));
  site.connect(recordOf('billing.other1')).close();
  const snapshot = { revision: 1, confirmedAtMs: 0, namespaces: new Map() };
  site.limits.prune(snapshot);
  assert.deepEqual(
    [site.limits.use('orders.acme1')?.connections, site.limits.use('billing.other1')],
    [1, undefined],
  );
  load.close();
  site.limits.prune(snapshot);
  assert.equal(site.limits.use('orders.acme1'), undefined);
});
