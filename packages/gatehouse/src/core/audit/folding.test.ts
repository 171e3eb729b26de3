import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuditEvent } from '#base/model/audit-event';
import { sampleEvent, until } from './fixture.test.ts';
import { createFolding, type Folding } from './folding.ts';

function foldingAt(freeCount: number, windowMs = 1_000) {
  const emitted: AuditEvent[] = [];
  const time = { nowMs: 0 };
  const clock = { now: () => time.nowMs, monotonicMs: () => time.nowMs };
  const folding: Folding = createFolding({
    clock,
    freeCount,
    windowMs,
    emit: (event) => emitted.push(event),
  });
  return { folding, emitted, time };
}

const refused = (changes: Partial<AuditEvent> = {}): AuditEvent =>
  sampleEvent({ outcome: 'refused', reason: 'namespace_mismatch', ...changes });

test('the first refusals of a kind pass as they are, the rest of the second becomes one with a count', () => {
  const { folding, emitted, time } = foldingAt(3);
  for (let index = 0; index < 10; index += 1) folding.offer(refused({ requestId: `r${index}` }));
  assert.equal(emitted.length, 3);
  time.nowMs = 1_000;
  folding.offer(refused({ requestId: 'next' }));
  assert.deepEqual(
    emitted.map(({ requestId, count }) => [requestId, count]),
    [
      ['r0', 1],
      ['r1', 1],
      ['r2', 1],
      ['r3', 7],
      ['next', 1],
    ],
  );
  folding.flush();
});

test('what is held is given on when the window ends, though nothing follows', async () => {
  const { folding, emitted } = foldingAt(0, 5);
  folding.offer(refused());
  folding.offer(refused());
  await until(() => emitted.length === 1);
  assert.equal(emitted[0]?.count, 2);
});

test('only refusals are folded', () => {
  const { folding, emitted } = foldingAt(0);
  for (const outcome of ['ok', 'error', 'cancelled', 'unknown'] as const)
    folding.offer(sampleEvent({ outcome }));
  assert.equal(emitted.length, 4);
});

test('connections of one host are one source, whatever their port', () => {
  const { folding, emitted } = foldingAt(0);
  for (let port = 1_000; port < 1_050; port += 1) folding.offer(refused({ peer: `10.0.0.1:${port}` }));
  folding.offer(refused({ peer: '10.0.0.2:1000' }));
  folding.flush();
  assert.deepEqual(
    emitted.map((event) => event.count),
    [50, 1],
  );
});

test('T-085 no refusal is lost in folding: the counts add up for every kind, namespace, method, reason and source', () => {
  const arbitrary = fc.record({
    namespace: fc.constantFrom('a.local', 'b.local'),
    method: fc.constantFrom('m1', 'm2'),
    reason: fc.constantFrom('r1', 'r2'),
    peer: fc.constantFrom('10.0.0.1:1', '10.0.0.1:2', '10.0.0.2:1'),
    count: fc.integer({ min: 1, max: 5 }),
    waitMs: fc.integer({ min: 0, max: 400 }),
  });
  const sums = (events: readonly AuditEvent[]): Map<string, number> => {
    const sum = new Map<string, number>();
    for (const { namespace, method, reason, peer, count } of events) {
      const key = [namespace, method, reason, peer.split(':')[0]].join(' ');
      sum.set(key, (sum.get(key) ?? 0) + count);
    }
    return sum;
  };
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 200 }), (steps) => {
      const { folding, emitted, time } = foldingAt(2);
      const given = steps.map(({ waitMs, ...changes }) => {
        time.nowMs += waitMs;
        const event = refused(changes);
        folding.offer(event);
        return event;
      });
      folding.flush();
      assert.deepEqual(new Map([...sums(emitted)].sort()), new Map([...sums(given)].sort()));
    }),
  );
});
