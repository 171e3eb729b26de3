import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Deadlined, Deadlines } from './deadlines.ts';

const TICK_MS = 250;
/** Some time of a monotonic clock, in the middle of a tick. */
const START_MS = 1_000_123;

interface Waiting extends Deadlined {
  expiredAtMs: number | undefined;
  stopped: boolean;
}

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let nowMs = START_MS;
  const deadlines = new Deadlines(() => nowMs);
  t.after(() => deadlines.close());
  return {
    deadlines,
    waiting: (isLongPoll = false): Waiting => ({
      isLongPoll,
      expiredAtMs: undefined,
      stopped: false,
      expire() {
        this.expiredAtMs = nowMs - START_MS;
      },
      endForStop() {
        this.stopped = true;
      },
    }),
    /** Lets time pass as timers see it. */
    pass(ms: number) {
      for (let left = ms; left > 0; left -= TICK_MS) {
        nowMs += Math.min(left, TICK_MS);
        t.mock.timers.tick(Math.min(left, TICK_MS));
      }
    },
    /** Time that passes while the process does something else: the timer fires once, late. */
    stall(ms: number) {
      nowMs += ms;
      t.mock.timers.tick(TICK_MS);
    },
  };
}

test('no deadline is told early, and none later than two ticks', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const afters = [0, 1, 126, 127, 249, 250, 251, 1000, 9_999, 60_000];
  const calls = afters.map((afterMs) => {
    const call = waiting();
    deadlines.add(call, afterMs);
    return { afterMs, call };
  });
  pass(61_000);
  for (const { afterMs, call } of calls) {
    const lateMs = (call.expiredAtMs ?? Number.NaN) - afterMs;
    assert.ok(lateMs >= 0 && lateMs <= 2 * TICK_MS, `${afterMs} ms: ${lateMs} ms late`);
  }
});

test('a process that stood still tells all deadlines that passed meanwhile', (t) => {
  const { deadlines, waiting, stall } = setUp(t);
  const [soon, later, far] = [waiting(), waiting(), waiting()];
  deadlines.add(soon, 300);
  deadlines.add(later, 20_000);
  deadlines.add(far, 40_000);
  stall(30_000);
  assert.notEqual(soon.expiredAtMs, undefined);
  assert.notEqual(later.expiredAtMs, undefined);
  assert.equal(far.expiredAtMs, undefined);
  // Time that was stepped over takes new deadlines as before.
  const next = waiting();
  deadlines.add(next, 0);
  stall(2 * TICK_MS);
  assert.notEqual(next.expiredAtMs, undefined);
});

test('a call that was cancelled is not told, and the others of its tick are', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const [gone, stays] = [waiting(), waiting()];
  const bucket = deadlines.add(gone, 100);
  assert.equal(deadlines.add(stays, 100), bucket);
  deadlines.cancel(gone, bucket);
  deadlines.cancel(gone, bucket);
  pass(1000);
  assert.equal(gone.expiredAtMs, undefined);
  assert.notEqual(stays.expiredAtMs, undefined);
  deadlines.cancel(stays, bucket);
});

test('a call is told once', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const told: number[] = [];
  const call = { ...waiting(), expire: () => void told.push(1) };
  deadlines.add(call, 10);
  pass(5000);
  assert.equal(told.length, 1);
});

test('a call that is told may cancel itself and add another', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const next = waiting();
  const first = {
    ...waiting(),
    expire() {
      deadlines.cancel(this, bucket);
      deadlines.add(next, 0);
    },
  };
  const bucket = deadlines.add(first, 100);
  pass(2000);
  assert.notEqual(next.expiredAtMs, undefined);
});

test('a deadline that is near is said to be near, and one that is not, is not', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const bucket = deadlines.add(waiting(), 10_000);
  assert.equal(deadlines.isDueWithin(bucket, 1000), false);
  pass(8_500);
  assert.equal(deadlines.isDueWithin(bucket, 1000), false);
  pass(1000);
  assert.equal(deadlines.isDueWithin(bucket, 1000), true);
  assert.equal(deadlines.isDueWithin(bucket, 0), false);
});

test('a stop counts what is being worked on, not what merely waits, and ends both', (t) => {
  const { deadlines, waiting } = setUp(t);
  const calls = [waiting(), waiting(true), waiting(), waiting(true)];
  const buckets = calls.map((call, index) => deadlines.add(call, index * 1000));
  assert.equal(deadlines.countRunning(), 2);
  const [first] = calls;
  if (first !== undefined) deadlines.cancel(first, buckets[0] ?? 0);
  assert.equal(deadlines.countRunning(), 1);
  deadlines.endAll();
  assert.deepEqual(
    calls.map(({ stopped }) => stopped),
    [false, true, true, true],
  );
});

test('whatever the order of adding and cancelling, exactly those that stay are told', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const step = fc.record({ afterMs: fc.nat({ max: 5000 }), isCancelled: fc.boolean(), passMs: fc.nat(600) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const calls = steps.map(({ afterMs, isCancelled, passMs }) => {
        const call = waiting();
        const bucket = deadlines.add(call, afterMs);
        if (isCancelled) deadlines.cancel(call, bucket);
        pass(passMs);
        return { call, isCancelled };
      });
      pass(6000);
      for (const { call, isCancelled } of calls) assert.equal(call.expiredAtMs === undefined, isCancelled);
    }),
    { numRuns: 40 },
  );
});

test('a deadline that is cancelled while its neighbours are told is not told', (t) => {
  const { deadlines, waiting, pass } = setUp(t);
  const second = waiting();
  let bucket = 0;
  const first: Deadlined = {
    isLongPoll: false,
    expire: () => deadlines.cancel(second, bucket),
    endForStop: () => undefined,
  };
  deadlines.add(first, 1000);
  bucket = deadlines.add(second, 1000);
  pass(2000);
  assert.equal(second.expiredAtMs, undefined);
});
