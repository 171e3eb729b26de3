import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { RawClient } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { programObstacle } from '../parts/program-obstacle.ts';
import { ask, type FaultSite, makeFaultSite, type Running, startWorkflow } from './fault-site.ts';
import { processesOf, until } from './gatehouse-process.ts';

const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const MIB = 1024 * 1024;
let place: FaultSite;
let running: Running;
let client: RawClient;

before(async () => {
  place = await makeFaultSite();
  running = await place.serve();
  client = running.open();
  assert.equal((await startWorkflow(client, 'first')).status, 0);
});
after(() => place?.close());

function enginePid(): number {
  const pid = processesOf(place.site.folder).find((candidate) => {
    try {
      return basename(readlinkSync(`/proc/${candidate}/exe`)).startsWith('temporal');
    } catch {
      // It ended this moment.
      return false;
    }
  });
  assert.ok(pid !== undefined);
  return pid;
}

/** Memory of the gateway that is its own, in bytes. */
function residentBytes(): number {
  const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

function descriptors(): number {
  return readdirSync(`/proc/${running.pid}/fd`).length;
}

test('F-02 under load an engine that hangs costs each call its deadline, and memory stays flat however long it hangs', async (t) => {
  const pid = enginePid();
  t.after(() => process.kill(pid, 'SIGCONT'));
  const burst = async (): Promise<void> => {
    let isLongOver = false;
    void ask(client, 'DescribeNamespace', {}, 3000).then(({ status }) => {
      isLongOver = status === DEADLINE_EXCEEDED;
    });
    const calls = Array.from({ length: 100 }, () => ask(client, 'DescribeNamespace', {}, 400));
    for (const { status, message } of await Promise.all(calls)) {
      assert.ok([DEADLINE_EXCEEDED, 8, UNAVAILABLE].includes(status), `${status} ${message}`);
    }
    assert.equal(isLongOver, false, 'all of them ended before a deadline that is longer than theirs');
  };
  process.kill(pid, 'SIGSTOP');
  await burst();
  await burst();
  const before = residentBytes();
  for (let round = 0; round < 8; round += 1) await burst();
  assert.ok(residentBytes() - before < 40 * MIB, `${(residentBytes() - before) / MIB} MiB more`);
  process.kill(pid, 'SIGCONT');
  await until('calls pass', async () => (await ask(client, 'DescribeNamespace')).status === 0, 20_000);
});

test('F-21 a gateway that is held for a second loses no call and no connection', async () => {
  const calls = Array.from({ length: 20 }, (_, index) => startWorkflow(client, `held-${index}`));
  process.kill(running.pid, 'SIGSTOP');
  await wait(1000);
  process.kill(running.pid, 'SIGCONT');
  for (const { status, message, failure } of await Promise.all(calls)) {
    assert.equal(status, 0, `${message} ${failure}`);
  }
  assert.equal(client.session.destroyed, false);
});

test('F-21 with its descriptors used up new connections wait or fail, old ones go on, and it takes new ones again by itself', {
  skip: programObstacle('prlimit'),
}, async () => {
  const before = descriptors();
  const limit = (count: number): void => {
    const { status } = spawnSync('prlimit', ['--pid', String(running.pid), `--nofile=${count}:`]);
    assert.equal(status, 0);
  };
  limit(before + 20);
  const crowd = Array.from({ length: 60 }, () => running.open());
  let taken = 0;
  for (const one of crowd) {
    void ask(one, 'DescribeNamespace', {}, 3000).then(({ status }) => {
      if (status === 0) taken += 1;
    });
  }
  await until('the last descriptor is taken', () => descriptors() >= before + 18);
  for (let index = 0; index < 10; index += 1) {
    const { status, message, failure } = await startWorkflow(client, `exhausted-${index}`);
    assert.equal(status, 0, `${message} ${failure}`);
  }
  assert.ok(taken < crowd.length);
  for (const one of crowd) one.close();
  await until('they are closed', () => descriptors() <= before + 2, 20_000);
  limit(1024);
  const late = running.open();
  await until('a new connection is taken', async () => (await ask(late, 'DescribeNamespace')).status === 0);
  assert.equal(client.session.destroyed, false);
});

test('F-21 under memory pressure from its clients it goes on: large requests on many connections leave no more behind than they bring', async () => {
  const payload = { metadata: { encoding: Buffer.from('binary/plain') }, data: Buffer.alloc(MIB, 7) };
  const flood = async (): Promise<void> => {
    const clients = Array.from({ length: 8 }, () => running.open());
    const calls = clients.flatMap((one) =>
      Array.from({ length: 4 }, () =>
        // Of no Workflow: the engine keeps nothing of it.
        ask(one, 'SignalWorkflowExecution', {
          workflowExecution: { workflowId: 'nobody' },
          signalName: 'any',
          input: { payloads: [payload] },
        }),
      ),
    );
    for (const { status, message, failure } of await Promise.all(calls)) {
      assert.ok([5, 8].includes(status), `${status} ${message} ${failure}`);
    }
    for (const one of clients) one.close();
  };
  await flood();
  await flood();
  const before = residentBytes();
  for (let round = 0; round < 4; round += 1) await flood();
  assert.ok(residentBytes() - before < 150 * MIB, `${(residentBytes() - before) / MIB} MiB more`);
  assert.equal((await startWorkflow(client, 'afterwards')).status, 0);
});
