import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import type { FromProcess } from './messages.ts';

/** Starts a process that does nothing but what this code says. */
async function start(t: TestContext, code: string, readyMs = 30_000): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-process-'));
  const module = join(folder, 'process.mjs');
  await writeFile(module, code);
  const process = startGatewayProcess({
    command: { module, args: [] },
    spec: { slot: 1, home: folder } as GatewaySpec,
    log: silentLog,
    readyMs,
  });
  t.after(async () => {
    process.kill();
    await process.ended;
    await rm(folder, { recursive: true });
  });
  return process;
}

test('a process that never becomes ready is ended, and the start says so', async (t) => {
  const process = await start(t, 'process.on("message", () => undefined);', 50);
  await assert.rejects(
    process.ready,
    /^Error: a gateway process cannot serve: it was not ready within 50 ms$/,
  );
  assert.equal(await process.ended, 'SIGKILL');
});

test('a process that ends before it is ready, or says what it lacks, is told with that', async (t) => {
  const dead = await start(t, 'process.exit(3);');
  await assert.rejects(dead.ready, /it ended: exit code 3$/);
  const failed = await start(
    t,
    'process.on("message", () => process.send({ kind: "failed", problem: "no KMS" }));',
  );
  await assert.rejects(failed.ready, /cannot serve: no KMS$/);
  await failed.ended;
});

test('a process that says what none says is ended, and that is not heard', async (t) => {
  const process = await start(
    t,
    `process.on('message', () => {
      process.send({ kind: 'ready' });
      process.send({ kind: 'connections', taken: 'all' });
    });`,
  );
  const heard: FromProcess[] = [];
  process.onMessage((message) => heard.push(message));
  await process.ready;
  assert.equal(await process.ended, 'SIGKILL');
  assert.deepEqual(heard, [{ kind: 'ready' }]);
});
