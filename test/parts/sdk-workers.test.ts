import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type BareServer, startBareServer } from './bare-server.ts';
import { prepareWorker, workerLanguages } from './sdk-workers.ts';
import { startWorkerProcess, type WorkerTarget } from './worker-process.ts';

/** The programs against a server without a gateway: a feature that fails here is the program's own fault. */
describe('the programs of the SDKs', { concurrency: false }, () => {
  let server: BareServer;
  let target: WorkerTarget;

  before(async () => {
    server = await startBareServer(['default.local']);
    target = { address: server.address, namespace: 'default.local' };
  });

  after(async () => await server?.close());

  for (const [number, language] of workerLanguages.entries()) {
    test(`every feature of the ${language} SDK passes against a bare server`, async () => {
      const worker = await prepareWorker(language);
      const outcome = await startWorkerProcess(worker, target, { mode: 'features' }).ended;
      assert.deepEqual(
        outcome.lines.filter((it) => it['ok'] !== true),
        [],
      );
      assert.equal(outcome.lines.filter((it) => 'feature' in it).length, 21);
      assert.deepEqual(outcome.lines.at(-1), { done: true, sdk: language, ok: true });
      assert.equal(outcome.exitCode, 0);
    });

    const other = workerLanguages[(number + 1) % workerLanguages.length] ?? language;
    test(`a Worker in ${language} answers a starter in ${other} until it is told to stop`, async () => {
      const taskQueue = randomUUID();
      const worker = startWorkerProcess(await prepareWorker(language), target, { mode: 'worker', taskQueue });
      await worker.line('ready');
      const starter = await prepareWorker(other);
      const started = await startWorkerProcess(starter, target, { mode: 'starter', taskQueue, count: 50 })
        .ended;
      assert.deepEqual(started.lines, [
        { started: 50, completed: 50 },
        { done: true, sdk: other, ok: true },
      ]);
      const stopped = await worker.stop();
      assert.deepEqual(
        [stopped.exitCode, stopped.lines.at(-1)],
        [0, { done: true, sdk: language, ok: true }],
      );
    });
  }
});
