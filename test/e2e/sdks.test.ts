import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { prepareWorker, workerLanguages } from '../parts/sdk-workers.ts';
import { startWorkerProcess } from '../parts/worker-process.ts';
import { type HouseTarget, houseTarget } from './house-target.ts';
import { refusedCalls } from './refused-calls.ts';

/** Every program knows an address, a namespace and a certificate: nothing in it is made for a gateway. */
describe('the SDKs through the gateway', { concurrency: false }, () => {
  let house: House;
  let target: HouseTarget;

  before(async () => {
    house = await startHouse();
    target = houseTarget(house);
  });

  after(async () => await house?.close());

  for (const [number, language] of workerLanguages.entries()) {
    test(`every feature of the ${language} SDK passes through the gateway, and no call of it is refused`, async () => {
      const from = (await house.events()).length;
      const outcome = await startWorkerProcess(await prepareWorker(language), target, { mode: 'features' })
        .ended;
      assert.deepEqual(
        outcome.lines.filter((it) => it['ok'] !== true),
        [],
        outcome.log,
      );
      assert.equal(outcome.lines.filter((it) => 'feature' in it).length, 21);
      assert.deepEqual(outcome.lines.at(-1), { done: true, sdk: language, ok: true });
      assert.equal(outcome.exitCode, 0);
      assert.deepEqual(await refusedCalls(house, from), []);
      // No refusal means nothing where nothing was recorded: 21 features are hundreds of calls.
      assert.ok((await house.events()).length - from > 100);
    });

    const other = workerLanguages[(number + 1) % workerLanguages.length] ?? language;
    test(`a Worker in ${language} answers a starter in ${other} through the gateway`, async () => {
      const from = (await house.events()).length;
      const taskQueue = randomUUID();
      const worker = startWorkerProcess(await prepareWorker(language), target, { mode: 'worker', taskQueue });
      await worker.line('ready');
      const starter = await prepareWorker(other);
      const started = await startWorkerProcess(starter, target, { mode: 'starter', taskQueue, count: 20 })
        .ended;
      assert.deepEqual(started.lines, [
        { started: 20, completed: 20 },
        { done: true, sdk: other, ok: true },
      ]);
      const stopped = await worker.stop();
      assert.deepEqual(
        [stopped.exitCode, stopped.lines.at(-1)],
        [0, { done: true, sdk: language, ok: true }],
      );
      assert.deepEqual(await refusedCalls(house, from), []);
    });
  }
});
