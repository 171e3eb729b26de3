import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { createCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { echo, handlerFailed } from './nexus/operation-answers.ts';
import {
  type Answer,
  jsonOf,
  type Operation,
  type OperationPair,
  runOperation,
} from './nexus/operation-pair.ts';
import { byWorkflows, echoes, failing, olderFailing } from './nexus/operations.ts';
import { openTenant, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';
import { searchHouse } from './stored-bytes.ts';

const SEALED = { caller: 'default.local', handler: 'beta.local', endpoint: 'sealed' };
const PLAIN = { caller: 'gamma.local', handler: 'delta.local', endpoint: 'plain' };
/** As long as the word that is looked for. */
const HARMLESS = 'Nachtschwalbe';

describe('Nexus between two namespaces with different keys', { concurrency: false }, () => {
  let site: AttackSite;
  let sealed: OperationPair;
  let plain: OperationPair;

  before(async () => {
    site = await startAttackSite(['beta', 'gamma', 'delta'], {
      nexusEnabled: true,
      nexusEndpoints: [SEALED, PLAIN].map(({ endpoint, handler }) => ({
        name: endpoint,
        namespace: handler,
        taskQueue: 'raw',
      })),
    });
    const { write } = site.house.up.platform.directory;
    for (const { caller, endpoint } of [SEALED, PLAIN]) await write.setNexusEndpoints(caller, [endpoint]);
    for (const id of [PLAIN.caller, PLAIN.handler]) await write.setEncryption(id, { sealing: 'off' });
    const canaries = createCanaries();
    sealed = openPair(SEALED, (place) => canaries.make(place).replace(/\d+/, place.length.toString()));
    plain = openPair(PLAIN, (place) => `${HARMLESS}-${place.length}-x`);
  });
  after(() => site?.close());

  function openPair(
    { caller, handler, endpoint }: typeof SEALED,
    word: OperationPair['word'],
  ): OperationPair {
    return { caller: openTenant(site, caller), handler: openTenant(site, handler), endpoint, word };
  }

  /** The same operations with seals and without have the same outcome. */
  async function runBoth(operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) {
      const [a, b] = await Promise.all([runOperation(sealed, operation), runOperation(plain, operation)]);
      assert.deepEqual(asPlain(a), b, operation.name);
    }
  }

  function asPlain(outcome: unknown): unknown {
    return JSON.parse(JSON.stringify(outcome).replaceAll('Kanarienvogel', HARMLESS));
  }

  const suites = { echoes, failing, olderFailing, byWorkflows };
  const promises: Readonly<Record<keyof typeof suites, string>> = {
    echoes: 'T-080 inputs and results of every kind arrive on the other side as without seals',
    failing: 'T-080 failures of operations, handlers and cancellations arrive as without seals',
    olderFailing: 'T-080 failures in the form of older SDKs arrive as without seals',
    byWorkflows:
      "T-080 what a workflow of the handler ends with arrives by the engine's callback as without seals",
  };
  for (const [name, operations] of Object.entries(suites)) {
    test(promises[name as keyof typeof suites], () => runBoth(operations));
  }

  test('T-080 a failure of an operation that is tried again shows in its description as without seals', async () => {
    const shown = await Promise.all([sealed, plain].map(showRetried));
    assert.deepEqual(asPlain(shown[0]), shown[1]);
    assert.match(JSON.stringify(shown[1]), new RegExp(HARMLESS));
  });

  async function showRetried(pair: OperationPair): Promise<unknown> {
    let pending: unknown;
    const showPending: Answer = async (_, task, workflowId) => {
      await handlerFailed((word) => ({
        error: { errorType: 'INTERNAL', failure: { message: word('again') } },
      }))(pair, task, workflowId);
      pending = await until('the failure shows', async () => {
        const { pendingNexusOperations } = await pair.caller.ask('DescribeWorkflowExecution', {
          execution: { workflowId },
        });
        return pendingNexusOperations[0]?.lastAttemptFailure;
      });
    };
    await runOperation(pair, { name: 'retried', answers: [showPending, echo] });
    return jsonOf('failure.v1.Failure', pending);
  }

  test('T-080 no word of any of these operations lies in the store, and no call was refused', async () => {
    // The search finds what is there: the same words of the namespaces that do not seal.
    const { home } = site.house;
    const stored = (await readdir(home, { recursive: true })).filter((path) => /\.db(?:-wal)?$/.test(path));
    const files = await Promise.all(stored.map((path) => readFile(join(home, path))));
    assert.ok(files.some((file) => file.includes(HARMLESS)));
    assert.deepEqual(await searchHouse(site.house), []);
    assert.deepEqual(await refusedCalls(site.house), []);
  });
});
