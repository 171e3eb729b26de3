import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultLimits } from '#base/model/limits';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Limits } from '#core/limits/limits';
import type { FromProcess } from './messages.ts';
import { readFromProcess } from './read-from-process.ts';

function reportOf(): Record<string, unknown> {
  const limits = new Limits({ now: () => 0, monotonicMs: () => 0 }, defaultLimits);
  limits.connect({ id: 'orders.acme1', limits: {} } as NamespaceRecord);
  const [report] = limits.report();
  return JSON.parse(JSON.stringify(report));
}

const use = (change: Record<string, unknown>) => ({ kind: 'use', reports: [{ ...reportOf(), ...change }] });
const connections = (change: Record<string, unknown>) => ({
  kind: 'connections',
  taken: [1],
  settled: [],
  closed: [],
  ...change,
});

test('what a gateway process says is heard as it was said', () => {
  const said: readonly FromProcess[] = [
    { kind: 'ready' },
    { kind: 'quiet' },
    { kind: 'failed', problem: 'no KMS' },
    { kind: 'connections', taken: [1, 2], settled: [2], closed: [] },
  ];
  for (const message of said) assert.deepEqual(readFromProcess(message), message);
  assert.deepEqual(readFromProcess(use({})), use({}));
});

test('what is nothing that a gateway process says is not heard', () => {
  for (const said of [
    { kind: 'start' },
    { kind: 'failed' },
    { kind: 'use' },
    connections({ taken: undefined }),
    connections({ settled: ['1'] }),
    connections({ closed: [null] }),
    connections({ closed: { length: 1 } }),
    use({ connections: null }),
    use({ polls: '1' }),
    use({ left: [1, 2] }),
    use({ spent: [1, 2, null] }),
    use({ held: new Array(1_000_000).fill(0) }),
    use({ namespaceId: 'x'.repeat(73) }),
    { kind: 'use', reports: [null] },
  ]) {
    assert.equal(readFromProcess(said), undefined, JSON.stringify(said).slice(0, 200));
  }
});

test('a problem is cut before it goes into log and record', () => {
  const heard = readFromProcess({ kind: 'failed', problem: 'x'.repeat(1_000_000) });
  assert.ok(heard?.kind === 'failed' && heard.problem.length === 2000);
});

test('nothing that can come through the pipe makes the supervisor throw', () => {
  const kind = fc.constantFrom('ready', 'failed', 'connections', 'use', 'quiet');
  const message = fc.record({
    kind,
    problem: fc.jsonValue(),
    taken: fc.jsonValue(),
    settled: fc.jsonValue(),
    closed: fc.jsonValue(),
    reports: fc.jsonValue(),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), message), (said) => {
      const heard = readFromProcess(said);
      assert.ok(heard === undefined || typeof heard.kind === 'string');
    }),
  );
});
