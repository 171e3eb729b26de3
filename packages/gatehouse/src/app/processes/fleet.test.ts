import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '#base/model/audit-event';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import type { AuditWriter } from '#core/audit/audit-writer';
import { Fleet } from './fleet.ts';
import type { GatewayProcess } from './gateway-process.ts';
import type { ToProcess } from './messages.ts';

interface FakeProcess extends GatewayProcess {
  readonly told: ToProcess[];
  silence: number;
  becomeReady(): void;
  fail(problem: string): void;
  end(how: string): void;
}

function fakeProcess(slot: number, pid: number): FakeProcess {
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const process: FakeProcess = {
    slot,
    pid,
    ready: ready.promise,
    ended: ended.promise,
    told: [],
    silence: 0,
    silentMs: () => process.silence,
    isResponsive: () => true,
    onMessage: () => undefined,
    hand: () => undefined,
    tell: (message) => void process.told.push(message),
    kill: () => ended.resolve('SIGKILL'),
    becomeReady: () => ready.resolve(),
    fail(problem) {
      ended.resolve('exit code 1');
      ready.reject(new Error(problem));
    },
    end: (how) => ended.resolve(how),
  };
  return process;
}

interface Site {
  readonly fleet: Fleet;
  /** All that were ever started, oldest first. */
  readonly started: readonly FakeProcess[];
  readonly retired: GatewayProcess[];
  readonly events: AuditEvent[];
  /** Waits until so many were started in all. @returns the last of them. */
  launched(count: number): Promise<FakeProcess>;
}

function makeSite(count = 2): Site {
  const started: FakeProcess[] = [];
  const retired: GatewayProcess[] = [];
  const events: AuditEvent[] = [];
  const fleet = new Fleet({
    count,
    startProcess(slot) {
      const process = fakeProcess(slot, 1000 + started.length);
      started.push(process);
      return process;
    },
    onServing: () => undefined,
    onRetired: (process) => void retired.push(process),
    onEnded: () => undefined,
    audit: { append: (event: AuditEvent) => void events.push(event) } as unknown as AuditWriter,
    clock: systemClock,
    log: silentLog,
  });
  return {
    fleet,
    started,
    retired,
    events,
    async launched(wanted) {
      await until(() => started.length >= wanted);
      const last = started[wanted - 1];
      assert.ok(last);
      return last;
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (const endsAt = performance.now() + 5000; !condition(); ) {
    assert.ok(performance.now() < endsAt, 'never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function serving(): Promise<Site> {
  const site = makeSite();
  const starting = site.fleet.start();
  for (const process of site.started) process.becomeReady();
  await starting;
  return site;
}

const slots = ({ fleet }: Site): number[] => fleet.serving().map(({ slot }) => slot);

test('a start needs every process, and says what one lacks', async () => {
  const site = makeSite();
  const starting = site.fleet.start();
  site.started[0]?.becomeReady();
  site.started[1]?.fail('no KMS');
  await assert.rejects(starting, /no KMS/);
});

test('F-01 a process that dies is recorded and replaced, in the place that it left', async () => {
  const site = await serving();
  assert.deepEqual(slots(site), [1, 2]);
  site.started[0]?.end('SIGKILL');
  const next = await site.launched(3);
  assert.equal(next.slot, 1);
  next.becomeReady();
  await until(() => site.fleet.serving().length === 2);
  assert.deepEqual(
    site.events.map(({ method, outcome, reason, detail }) => [method, outcome, reason, detail]).slice(2),
    [
      ['gateway.process', 'error', 'process_ended', 'gateway-1 (pid 1000) ended: SIGKILL'],
      ['gateway.process', 'ok', 'ok', 'gateway-1 (pid 1002) serves'],
    ],
  );
});

test('a replacement that does not come to serve is tried again, and the other goes on', async () => {
  const site = await serving();
  site.started[1]?.end('SIGKILL');
  (await site.launched(3)).fail('no directory');
  (await site.launched(4)).becomeReady();
  await until(() => site.fleet.serving().length === 2);
  assert.ok(
    site.events.some(({ reason, detail }) => reason === 'process_not_ready' && /no directory/.test(detail)),
  );
});

test('F-14 a restart takes each process away only when its replacement serves, and never more than one', async () => {
  const site = await serving();
  const [first, second] = site.started;
  const restarting = site.fleet.restart(7000);
  const third = await site.launched(3);
  assert.equal(third.slot, 3, 'no two processes have one slot');
  assert.deepEqual(site.retired, []);
  third.becomeReady();
  await until(() => first?.told.length === 1);
  assert.deepEqual(first?.told, [{ kind: 'drain', withinMs: 7000 }]);
  assert.deepEqual(site.retired, [first]);
  assert.deepEqual(second?.told, []);
  assert.equal(site.started.length, 3);
  first?.end('exit code 0');
  const fourth = await site.launched(4);
  assert.equal(fourth.slot, 1);
  fourth.becomeReady();
  await until(() => second?.told.length === 1);
  second?.end('exit code 0');
  await restarting;
  assert.deepEqual(slots(site).sort(), [1, 3]);
  assert.equal(site.started.length, 4);
  assert.equal(site.events.at(-1)?.method, 'gateway.restart');
});

test('F-14 a restart whose replacement does not serve ends, and those that served go on', async () => {
  const site = await serving();
  const restarting = site.fleet.restart(1000);
  (await site.launched(3)).fail('broken');
  await assert.rejects(restarting, /broken/);
  assert.deepEqual(slots(site), [1, 2]);
  assert.deepEqual(site.retired, []);
  for (const { told } of site.started) assert.deepEqual(told, []);
});

test('one that dies during a restart is not replaced twice', async () => {
  const site = await serving();
  const restarting = site.fleet.restart(1000);
  const third = await site.launched(3);
  site.started[0]?.end('SIGKILL');
  third.becomeReady();
  const fourth = await site.launched(4);
  fourth.becomeReady();
  await until(() => site.started[1]?.told.length === 1);
  site.started[1]?.end('exit code 0');
  await restarting;
  assert.equal(site.started.length, 4);
  assert.equal(site.fleet.serving().length, 2);
});

test('F-01 a process that hangs is ended and replaced, one that was silent for a moment is not', async () => {
  const site = await serving();
  const [hung, slow] = site.started;
  assert.ok(hung && slow);
  hung.silence = 31_000;
  slow.silence = 2000;
  site.fleet.look();
  assert.equal(await hung.ended, 'SIGKILL');
  (await site.launched(3)).becomeReady();
  await until(() => site.fleet.serving().length === 2);
  assert.ok(site.fleet.serving().includes(slow));
});

test('F-14 a stop drains what serves, ends what starts, and replaces nothing', async () => {
  const site = await serving();
  const [first, second] = site.started;
  second?.end('SIGKILL');
  const third = await site.launched(3);
  third.ready.catch(() => undefined);
  site.fleet.stop();
  const drained = site.fleet.drain(500);
  assert.equal(await third.ended, 'SIGKILL');
  third.fail('ended');
  assert.deepEqual(first?.told, [{ kind: 'drain', withinMs: 500 }]);
  first?.end('exit code 0');
  await drained;
  assert.equal(site.started.length, 3);
});
