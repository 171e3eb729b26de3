import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Refusal } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { verifyChain } from '../../packages/gatehouse/src/core/audit/verify.ts';
import {
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { programObstacle } from '../parts/program-obstacle.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Served, type Site, serveSite } from './serve-site.ts';

const ORDERS = 'orders.acme1';
const STRICT = 'strict.acme1';
const UNAVAILABLE = 14;
/** Small, so that it is quickly full; an engine with its database fits in. */
const HOME_BYTES = '64m';
/** Longer than a writer's own limit on a stall. */
const STALL_S = 5;

let site: Site;
let served: Served | undefined;
let separate: GatehouseProcess | undefined;
const clients: RawClient[] = [];

/** Why a fault cannot be made here; false where it can. Not every CI may do so, but each has the programs. */
function obstacle(command: string, ...args: string[]): string | false {
  const { status, error } = spawnSync(command, args, { stdio: 'ignore' });
  if (error !== undefined) return programObstacle(command);
  return status === 0 ? false : `this machine does not permit ${command} ${args.join(' ')}`;
}

const noMount = obstacle('unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt');
const noStrace = obstacle('strace', '-f', '-o', '/dev/null', 'true');

before(async () => {
  site = await makeSite();
  await site.makeCa('orders');
});

after(async () => {
  for (const client of clients) client.close();
  await served?.serving.stop(500);
  separate?.child.kill('SIGKILL');
  await separate?.ended;
  await until('no engine is left', () => processesOf(site.folder).length === 0, 15_000);
  if (noMount === false) spawnSync('umount', ['--lazy', site.home]);
  site.close();
});

const namespaces = [
  `{ id: ${ORDERS}, caFile: orders-ca.pem }`,
  `{ id: ${STRICT}, caFile: orders-ca.pem, audit: strict }`,
];

function open(grpc: string, namespace = ORDERS): RawClient {
  const client = openRawClient({
    endpoint: site.endpoint(grpc, { [namespace]: 'orders' }),
    certificateOf: namespace,
    serverName: `${namespace}.${DOMAIN}`,
  });
  clients.push(client);
  return client;
}

function start(client: RawClient, workflowId: string, namespace = ORDERS): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
    namespace,
    workflowId,
    requestId: workflowId,
    workflowType: { name: 'any' },
    taskQueue: { name: 'any' },
  });
  return client.call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, request, { timeoutMs: 4000 });
}

/** Takes all the room that is left. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 4)) {
      const block = Buffer.alloc(size, 1);
      try {
        for (;;) writeSync(descriptor, block);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

test('F-11 a full disk: calls are UNAVAILABLE and changes refused in words; with room again all goes on without a restart, and nothing is torn', {
  skip: noMount,
}, async () => {
  assert.equal(
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${HOME_BYTES},mode=700`, 'tmpfs', site.home]).status,
    0,
  );
  site.configure({ namespaces });
  served = await serveSite(site);
  const { platform } = served.serving;
  const [orders, strict] = [open(served.grpc), open(served.grpc, STRICT)];
  const acknowledged: string[] = [];
  const attempt = async (id: string): Promise<boolean> => {
    const answer = await start(orders, id);
    if (answer.status === 0) acknowledged.push(id);
    else assert.equal(answer.status, UNAVAILABLE, `${answer.message} ${answer.failure}`);
    return answer.status === 0;
  };
  assert.equal(await attempt('before'), true);
  assert.equal((await start(strict, 'before', STRICT)).status, 0);

  const filler = join(site.home, 'filler');
  for (let round = 0; round < 2; round += 1) {
    fill(filler);
    await until('the record cannot be written', async () => {
      await attempt(`full-${round}-${performance.now()}`);
      return !platform.audit.writable();
    });
    for (const client of [orders, strict]) {
      const { status, message } = await start(client, 'refused', client === orders ? ORDERS : STRICT);
      assert.equal(status, UNAVAILABLE);
      assert.match(message, /record/);
    }
    assert.equal(platform.audit.stats().failing, 'ENOSPC');
    // A change finds room in what the database has already, or is refused whole and in words.
    const stored = platform.directory.snapshot().namespaces.get(ORDERS)?.retentionDays;
    await platform.directory.write.setRetentionDays(ORDERS, 20 + round).catch((error: unknown) => {
      assert.ok(error instanceof Refusal, String(error));
      assert.equal(error.code, 'directory_unavailable');
      assert.equal(platform.directory.snapshot().namespaces.get(ORDERS)?.retentionDays, stored);
    });
    rmSync(filler);
    await until('the record is written again', () => platform.audit.writable());
    await until('calls pass', () => attempt(`room-${round}-${performance.now()}`), 20_000);
  }
  assert.equal(platform.directory.state(), 'current');
  await platform.directory.write.setRetentionDays(ORDERS, 9);
  assert.ok(acknowledged.length >= 3);
  assert.ok(
    served.logLines.some((line) => /ENOSPC|no space/i.test(line)),
    'the operator is told why',
  );

  // Whole at the next start too.
  await served.serving.stop(500);
  assert.equal((await verifyChain(join(site.home, 'audit'))).fault, undefined);
  served = await serveSite(site);
  const again = open(served.grpc);
  for (const workflowId of acknowledged) {
    const request = encode('workflowservice.v1.DescribeWorkflowExecutionRequest', {
      namespace: ORDERS,
      execution: { workflowId },
    });
    const { status } = await again.call(`${WORKFLOW_SERVICE}DescribeWorkflowExecution`, request);
    assert.equal(status, 0, `${workflowId} was acknowledged`);
  }
  await served.serving.stop(500);
  served = undefined;
});

/** Makes the calls of a running process that bring data to the disk fail or stall, until it is told to end. */
async function injectAtSync(pid: number, fault: string): Promise<() => Promise<void>> {
  const tracer = spawn(
    'strace',
    ['-f', '-q', '-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:${fault}`, '-p', String(pid)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(tracer, 'close');
  await once(tracer.stderr.resume(), 'data');
  return async () => {
    tracer.kill('SIGTERM');
    await ended;
  };
}

test('F-12 a disk that fails or stalls at every sync: refused at once instead of waiting, nothing is lost, well again by itself', {
  skip: noStrace,
}, async () => {
  site.configure({ namespaces });
  separate = startGatehouse(['serve', '--config', site.configFile]);
  const [line] = await separate.printed(/^\{"ready":true.*\}\n/m);
  const { grpc }: { grpc: string } = JSON.parse(line);
  const { pid } = separate.child;
  assert.ok(pid !== undefined);
  const strict = open(grpc, STRICT);
  const relaxed = open(grpc);
  assert.equal((await start(strict, 'sound', STRICT)).status, 0);
  for (const fault of ['error=EIO', `delay_enter=${STALL_S * 1_000_000}`]) {
    const mend = await injectAtSync(pid, fault);
    const first = start(strict, `first-${fault}`, STRICT);
    await until(
      'calls are refused',
      async () => (await start(relaxed, `relaxed-${performance.now()}`)).status === UNAVAILABLE,
    );
    const { status, message } = await first;
    // One whose record stalls is told OK when it is on disk, and never before.
    const honest = fault === 'error=EIO' ? [UNAVAILABLE] : [0, 4, UNAVAILABLE];
    assert.ok(honest.includes(status), `${fault}: ${status} ${message}`);
    await until(
      'calls are refused again',
      async () => (await start(relaxed, `still-${performance.now()}`)).status === UNAVAILABLE,
    );
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => start(relaxed, `${fault}-${index}`)),
    );
    // Between two stalls a relaxed call may pass: it waits for no disk.
    const allowed = fault === 'error=EIO' ? [UNAVAILABLE] : [0, UNAVAILABLE];
    assert.ok(
      answers.every((answer) => allowed.includes(answer.status)),
      `${fault}: ${answers.map((answer) => answer.status)}`,
    );
    await mend();
    await until(
      'calls pass',
      async () => (await start(strict, `after-${performance.now()}`, STRICT)).status === 0,
      20_000,
    );
  }
  separate.child.kill('SIGTERM');
  assert.equal(await separate.ended, 0);
  assert.equal((await verifyChain(join(site.home, 'audit'))).fault, undefined);
});
