import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultLimits, type NamespaceLimits } from '#base/model/limits';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import { callClassOf } from './call-class.ts';
import type { ConnectionLoad } from './connection-load.ts';
import { Limits } from './limits.ts';
import { SharedUse } from './shared-use.ts';
import { isUseReport } from './use-report.ts';

const of = (name: string) => callClassOf(`/temporal.api.workflowservice.v1.WorkflowService/${name}`);
const START = of('StartWorkflowExecution');
const POLL = of('PollWorkflowTaskQueue');
const RECORD = { id: 'orders.acme1', limits: {} } as NamespaceRecord;

/** Processes that tell each other through a supervisor, on one clock. */
class Processes {
  nowMs = 0;
  readonly use = new SharedUse(() => this.nowMs);
  readonly all: { readonly id: number; readonly limits: Limits; load: ConnectionLoad | undefined }[] = [];
  readonly #namespace: Partial<NamespaceLimits>;

  constructor(count: number, namespace: Partial<NamespaceLimits>) {
    this.#namespace = namespace;
    for (let index = 0; index < count; index += 1) this.begin();
  }

  begin(): void {
    const limits = new Limits(
      { now: () => 0, monotonicMs: () => this.nowMs },
      { ...defaultLimits, namespace: { ...defaultLimits.namespace, ...this.#namespace } },
    );
    const id = this.all.length;
    limits.followOthers(this.use.join(id));
    this.all.push({ id, limits, load: undefined });
  }

  end(index: number): void {
    this.use.leave(index);
  }

  /** Opens the connection of a process to the namespace, and keeps it. */
  connect(index: number): ConnectionLoad | undefined {
    const process = this.all[index];
    assert.ok(process);
    process.load ??= process.limits.connect(RECORD);
    return process.load;
  }

  /** @returns how many of so many calls a process admits now. */
  call(index: number, times: number, callClass = START): number {
    const load = this.connect(index);
    assert.ok(load);
    let count = 0;
    for (let call = 0; call < times; call += 1) {
      if (load.admit(RECORD, callClass, this.nowMs) === undefined) count += 1;
    }
    return count;
  }

  report(index: number): void {
    const process = this.all[index];
    assert.ok(process);
    const reports: unknown = JSON.parse(JSON.stringify(process.limits.report()));
    assert.ok(Array.isArray(reports) && reports.every(isUseReport), 'it is taken for what it is');
    this.use.report(process.id, reports);
  }

  tell(index: number): void {
    const process = this.all[index];
    process?.limits.followOthers(this.use.tell(process.id));
  }

  /** One report and one telling of each. */
  tick(): void {
    for (const { id } of this.all) this.report(id);
    for (const { id } of this.all) this.tell(id);
  }
}

test('what one process spends, another cannot spend once it was told', () => {
  const site = new Processes(2, { callsPerSecond: 10, burstSeconds: 2 });
  site.connect(1);
  assert.equal(site.call(0, 100), 20);
  site.tick();
  assert.equal(site.call(1, 100), 0);
  site.nowMs = 1000;
  assert.equal(site.call(0, 6) + site.call(1, 4), 10);
});

test('one process alone grants the whole limit, however many there are', () => {
  const site = new Processes(8, { callsPerSecond: 100, burstSeconds: 1, polls: 7, connections: 5 });
  assert.equal(site.call(3, 1000), 100);
  for (let tick = 0; tick < 10; tick += 1) {
    site.nowMs += 100;
    site.tick();
    assert.equal(site.call(3, 1000), 10, `tick ${tick}`);
  }
});

test('a debt is paid before anything is granted again', () => {
  const site = new Processes(3, { callsPerSecond: 10, burstSeconds: 2 });
  assert.equal(
    site.call(0, 50) + site.call(1, 50) + site.call(2, 50),
    60,
    'a burst of each, before any is told',
  );
  site.tick();
  // 40 too many are 4 s of the rate.
  site.nowMs = 3900;
  site.tick();
  assert.equal(site.call(0, 5) + site.call(1, 5) + site.call(2, 5), 0);
  site.nowMs = 4100;
  assert.ok(site.call(0, 5) >= 1);
});

test('what is idle counts before the charge that comes late, and does not pay for it', () => {
  const site = new Processes(2, { callsPerSecond: 10, burstSeconds: 1 });
  site.connect(1);
  site.nowMs = 60_000;
  assert.equal(site.call(0, 100), 10);
  site.tick();
  assert.equal(site.call(1, 100), 0);
});

test('a process that begins, begins where the others are', () => {
  const site = new Processes(2, { callsPerSecond: 10, burstSeconds: 2, polls: 3 });
  assert.equal(site.call(0, 100), 20);
  site.tick();
  site.nowMs = 500;
  site.begin();
  assert.equal(site.call(2, 100), 5, 'no more than half a second brought');
});

test('polls, connections and bytes that others hold take room, until they are given back or their process ends', () => {
  const site = new Processes(2, { polls: 3, connections: 2, requestMebibytes: 8, replyMebibytes: 8 });
  assert.equal(site.call(0, 2, POLL), 2);
  assert.equal(site.connect(0)?.holdRequest(7 * 1024 * 1024), undefined);
  assert.equal(site.connect(0)?.holdReply(5 * 1024 * 1024), undefined);
  const second = site.connect(1);
  site.tick();
  assert.equal(second?.admit(RECORD, START, 0), 'namespace_memory_limit');
  site.connect(0)?.releaseReply(5 * 1024 * 1024);
  site.tick();
  assert.equal(site.call(1, 9, POLL), 1);
  assert.equal(second?.holdRequest(2 * 1024 * 1024), 'namespace_memory_limit');
  second?.releaseRequest(2 * 1024 * 1024);
  assert.equal(site.all[1]?.limits.connect(RECORD), undefined, 'both places are taken');
  site.end(0);
  site.tell(1);
  assert.equal(site.call(1, 9, POLL), 2);
  assert.ok(site.all[1]?.limits.connect(RECORD));
});

test('the use of a namespace is that of all processes, and is forgotten with it', () => {
  const site = new Processes(2, {});
  site.call(0, 2, POLL);
  site.call(1, 3, POLL);
  site.tick();
  assert.equal(site.use.use(RECORD.id)?.polls, 5);
  assert.equal(site.use.use(RECORD.id)?.connections, 2);
  assert.equal(site.use.use('nobody.acme1'), undefined);
  site.use.prune({ namespaces: new Map() } as unknown as DirectorySnapshot);
  assert.equal(site.use.use(RECORD.id), undefined);
});

test('a process that was told nothing new is told nothing, and one that has left is not heard', () => {
  const site = new Processes(2, {});
  site.call(0, 1);
  site.tick();
  assert.deepEqual(site.all[0]?.limits.report(), []);
  assert.deepEqual(site.use.tell(1), []);
  site.end(0);
  site.call(0, 1);
  site.report(0);
  assert.equal(site.use.use(RECORD.id), undefined);
});

/** A step of one process: time that passes before it, calls that are tried, and what else happens. */
const step = fc.record({
  process: fc.nat(4),
  passMs: fc.nat(40),
  calls: fc.nat(30),
});

test('T-095b processes grant in any span at most a burst of each and what the rate brings, and what the age of the news adds', () => {
  const TICK_MS = 100;
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 300 }),
      (count, rate, burstSeconds, steps) => {
        const site = new Processes(count, { callsPerSecond: rate, burstSeconds });
        const granted: { readonly atMs: number; readonly calls: number }[] = [];
        let toldAtMs = 0;
        for (const { process, passMs, calls } of steps) {
          site.nowMs += passMs;
          // Reports and tellings are a tick old at the most each, as in the processes themselves.
          if (site.nowMs - toldAtMs >= TICK_MS) {
            for (const { id } of site.all) site.tell(id);
            for (const { id } of site.all) site.report(id);
            toldAtMs = site.nowMs;
          }
          granted.push({ atMs: site.nowMs, calls: site.call(process % count, calls) });
        }
        const burst = Math.max(1, rate * burstSeconds);
        // Steps of up to 40 ms come late by as much.
        const newsSeconds = (2 * (TICK_MS + 40)) / 1000;
        for (const [from, first] of granted.entries()) {
          let sum = 0;
          for (const { atMs, calls } of granted.slice(from)) {
            sum += calls;
            const spanSeconds = (atMs - first.atMs) / 1000;
            const single = burst + rate * spanSeconds;
            const error = (count - 1) * (burst + rate * newsSeconds);
            assert.ok(sum <= single + error + 1e-6, `${sum} in ${spanSeconds} s`);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('over a long time processes that are all busy grant what one would', () => {
  const site = new Processes(4, { callsPerSecond: 100, burstSeconds: 1 });
  let granted = 0;
  for (let tick = 0; tick < 600; tick += 1) {
    for (const { id } of site.all) granted += site.call(id, 50);
    site.nowMs += 100;
    site.tick();
  }
  // A minute, one burst, and three bursts more that were paid back since: the last is what one tick can bring.
  assert.ok(granted >= 100 * 59, `${granted}`);
  assert.ok(granted <= 100 * 61 + 3 * 10 + 4, `${granted}`);
});
