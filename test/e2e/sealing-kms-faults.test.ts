import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { prepareWorker } from '../parts/sdk-workers.ts';
import { startWorkerProcess, type WorkerProcess } from '../parts/worker-process.ts';
import { until } from './gatehouse-process.ts';
import { houseTarget } from './house-target.ts';
import { openEngineReader } from './sealing/engine-reader.ts';
import { CUSTOMER, type KmsHouse, PLAIN, REMOTE, startKmsHouse, USUAL_VERBS } from './sealing/kms-house.ts';
import {
  openNamespace,
  type Round,
  type RoundsSince,
  type SealedLoad,
  startSealedLoad,
} from './sealing/sealed-load.ts';

const TASK_QUEUE = 'echoes';
const UNAVAILABLE = new RegExp(` 14 ${refusals.encryption_unavailable.text}`);
const DISABLED = new RegExp(` 14 ${refusals.encryption_key_disabled.text}`);
/** The long poll of the engine ends empty, or the call a moment later. */
const LATE = / 4 |no result/;
/** Rounds that a Worker of CUSTOMER answers. */
const WORKER = 'Worker';
const ALL = [PLAIN, CUSTOMER, REMOTE, WORKER];

/** Keys in a real OpenBao, killed, taken away and changed while Workers run. */
describe('a house whose namespaces have KMS keys of their own', { concurrency: false }, () => {
  let kms: KmsHouse;
  let worker: WorkerProcess;

  before(async () => {
    kms = await startKmsHouse();
    const target = houseTarget(kms.house, CUSTOMER);
    worker = startWorkerProcess(await prepareWorker('go'), target, { mode: 'worker', taskQueue: TASK_QUEUE });
    await worker.line('ready');
  });
  after(async () => {
    const outcome = await worker?.stop();
    await kms?.close();
    assert.equal(outcome?.exitCode, 0, 'the Worker outlived it all');
  });

  function startLoad(t: TestContext): SealedLoad {
    const load = startSealedLoad(kms.house, [
      ...[PLAIN, CUSTOMER, REMOTE].map((id) => ({ name: id, namespace: id })),
      { name: WORKER, namespace: CUSTOMER, workerQueue: TASK_QUEUE },
    ]);
    t.after(() => load.stop());
    return load;
  }

  function rowsOf(id: string) {
    const { directory } = kms.house.up.platform;
    return directory.namespaceKeys(directory.snapshot().namespaces.get(id)?.uuid ?? '');
  }

  test('T-081a under load a namespace moves to a KMS key of its own, is rotated and wrapped anew, and no call fails', async (t) => {
    const { bao, keys } = kms;
    const load = startLoad(t);
    const settle = async (): Promise<void> => {
      const now = load.mark();
      for (const name of ALL) await now.reach(name, 'ok', 3);
    };
    await settle();
    const first = rowsOf(CUSTOMER);

    const { write } = kms.house.up.platform.directory;
    for (const [name, id] of [
      ['customer', CUSTOMER],
      ['remote', REMOTE],
    ] as const) {
      await write.setEncryption(id, { kmsKey: name });
      assert.match(await keys('rewrap', '--namespace', id), /2 keys wrapped anew/);
    }
    await settle();
    assert.match(await keys('rotate', '--namespace', CUSTOMER), /new payload key/);
    await settle();
    await bao.call('POST', 'transit/keys/customer/rotate');
    assert.match(await keys('rewrap', '--again', '--namespace', CUSTOMER), /3 keys wrapped anew/);
    // Nothing needs the old version any more.
    await bao.call('POST', 'transit/keys/customer/config', { min_decryption_version: 2 });
    await settle();
    assert.match(await keys('rotate', '--attributes', '--namespace', CUSTOMER), /new attribute key/);
    await settle();
    assert.deepEqual(await load.stop(), []);

    await until('the directory has them all', () => rowsOf(CUSTOMER).length === 5);
    const rows = rowsOf(CUSTOMER);
    assert.deepEqual(
      rows.slice(0, 2).map(({ id }) => id),
      first.map(({ id }) => id),
    );
    assert.ok(rows.every(({ kmsKeyId }) => kmsKeyId.startsWith('vault:')));
    assert.ok(rowsOf(PLAIN).every(({ kmsKeyId }) => kmsKeyId.startsWith('local:')));
    await assertOldAndNew(load.rounds.length);
  });

  /** Inputs from before and after the rotation open, and lie in the engine under the oldest and the newest key. */
  async function assertOldAndNew(count: number): Promise<void> {
    const engine = openEngineReader(kms.house, CUSTOMER);
    const client = openNamespace(kms.house, CUSTOMER);
    const keyIds = new Set<string>();
    for (let number = 1; number <= count; number += 1) {
      const execution = { workflowId: `round-${number}` };
      const history = await engine.ask('GetWorkflowExecutionHistory', { execution }).catch(() => undefined);
      if (history === undefined) continue;
      const {
        history: { events },
      } = history;
      const [input] = events[0].attributes.value.input.payloads;
      keyIds.add(Buffer.from(input.data.subarray(1, 9)).toString('hex'));
      assert.equal(await client.readInput(execution.workflowId), execution.workflowId);
    }
    client.close();
    const payloadKeys = rowsOf(CUSTOMER).flatMap(({ id, purpose }) => (purpose === 'payload' ? [id] : []));
    // The directory is followed within a second: the newest may not have sealed anything yet.
    assert.deepEqual([...keyIds], payloadKeys.slice(0, Math.max(2, keyIds.size)));
  }

  test('F-06 a KMS that is killed is not missed while its keys are cached, then its namespaces alone wait for it', async (t) => {
    const load = startLoad(t);
    for (const name of ALL) await load.mark().reach(name, 'ok', 3);
    await kms.bao.kill();
    const away = load.mark();
    // In this order: rounds that end well without a KMS, refusals, and rounds that end well with one.
    for (const name of ALL) await away.reach(name, 'ok', 5);
    for (const id of [CUSTOMER, REMOTE]) await away.reach(id, UNAVAILABLE, 2);
    const refused = load.mark();
    await refused.reach(PLAIN, 'ok', 5);
    await kms.bao.restart();
    const back = load.mark();
    for (const name of [CUSTOMER, REMOTE, WORKER]) await back.reach(name, 'ok', 3);
    const failed = await load.stop();
    assertOnly(failed, UNAVAILABLE);
    assertOnce(away);
  });

  test('F-07 a customer whose key is deleted, or whose permission is taken, stops alone, and goes on when it is given back', async (t) => {
    const load = startLoad(t);
    for (const name of ALL) await load.mark().reach(name, 'ok', 3);
    await kms.bao.call('DELETE', 'transit/keys/customer/soft-delete');
    await load.mark().reach(CUSTOMER, DISABLED, 2);
    const customerStopped = load.mark();
    for (const id of [PLAIN, REMOTE]) await customerStopped.reach(id, 'ok', 5);
    assert.equal(customerStopped.of(CUSTOMER).includes('ok'), false);

    await kms.permit('remote', []);
    await load.mark().reach(REMOTE, DISABLED, 2);
    const bothStopped = load.mark();
    await bothStopped.reach(PLAIN, 'ok', 5);

    await kms.bao.call('POST', 'transit/keys/customer/soft-delete-restore');
    await kms.permit('remote', USUAL_VERBS);
    const back = load.mark();
    for (const name of [CUSTOMER, REMOTE, WORKER]) await back.reach(name, 'ok', 3);
    assertOnly(await load.stop(), DISABLED);
  });

  test("F-06 a KMS that does not answer holds its own namespace's calls, and no other's waits behind them", async () => {
    const [remote, customer, plain] = [REMOTE, CUSTOMER, PLAIN].map((id) => openNamespace(kms.house, id));
    assert.ok(remote && customer && plain);
    assert.equal(await remote.round(), 'ok');
    kms.proxy.behave('hang');
    // Until it waits for its KMS it is served from memory.
    await until(
      'a call that waits while many others are answered',
      async () => {
        let isAnswered = false;
        const held = remote.round().finally(() => {
          isAnswered = true;
        });
        for (let count = 0; count < 10 && !isAnswered; count += 1) {
          assert.equal(await customer.round(TASK_QUEUE), 'ok');
          assert.equal(await plain.round(), 'ok');
        }
        const wasHeld = !isAnswered;
        await held;
        return wasHeld;
      },
      40_000,
    );
    await until('its cache is over', async () => UNAVAILABLE.test(await remote.round()), 40_000);
    assert.equal(await customer.round(TASK_QUEUE), 'ok');
    kms.proxy.behave('pass');
    await until('it goes on by itself', async () => (await remote.round()) === 'ok', 25_000);
    for (const client of [remote, customer, plain]) client.close();
  });
});

/** A round that waits for a Worker may also wait in vain. */
function assertOnly(failed: readonly Round[], expected: RegExp): void {
  const wrong = failed.filter(({ name, said }) => {
    if (name === PLAIN) return true;
    return !expected.test(said) && !(name === WORKER && LATE.test(said));
  });
  assert.deepEqual(wrong, []);
}

/** Served, refused, served: it does not go back and forth. */
function assertOnce(away: RoundsSince): void {
  for (const id of [CUSTOMER, REMOTE]) {
    const changes = away.of(id).filter((said, at, all) => (said === 'ok') !== (all[at - 1] === 'ok'));
    assert.deepEqual(
      changes.map((said) => said === 'ok'),
      [true, false, true],
      id,
    );
  }
}
