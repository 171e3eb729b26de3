import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { type ProgramOutcome, runProgram } from '../parts/run-program.ts';
import { prepareWorker } from '../parts/sdk-workers.ts';
import { obtainTemporalCli } from '../parts/temporal-cli.ts';
import { startWorkerProcess, type WorkerProcess } from '../parts/worker-process.ts';
import { type HouseTarget, houseTarget } from './house-target.ts';
import { refusedCalls } from './refused-calls.ts';

/** The command line of Temporal with the flags that `up` prints, and a real Worker behind it. */
describe('the temporal CLI through the gateway', { concurrency: false }, () => {
  const taskQueue = randomUUID();
  let house: House;
  let cli: string;
  let target: HouseTarget;
  let worker: WorkerProcess;
  let emptyFolder: string;
  let from: number;

  before(async () => {
    cli = await obtainTemporalCli();
    emptyFolder = await mkdtemp(join(tmpdir(), 'gatehouse-cli-'));
    house = await startHouse();
    target = houseTarget(house);
    worker = startWorkerProcess(await prepareWorker('typescript'), target, { mode: 'worker', taskQueue });
    await worker.line('ready');
    from = (await house.events()).length;
  });

  after(async () => {
    await worker?.stop();
    await house?.close();
    await rm(emptyFolder, { recursive: true });
  });

  const run = async (...words: string[]): Promise<ProgramOutcome> => {
    const { serverName, caFile, certificateFile, keyFile } = target.tls;
    return await runProgram(cli, [
      ...words,
      // A person's own profile must not decide what is tested.
      ...['--config-file', join(emptyFolder, 'none.toml'), '--disable-config-env'],
      ...['--address', target.address, '--namespace', target.namespace],
      ...['--tls-ca-path', caFile, '--tls-cert-path', certificateFile],
      ...['--tls-key-path', keyFile, '--tls-server-name', serverName],
    ]);
  };
  const ok = async (...words: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(...words);
    assert.equal(exitCode, 0, `temporal ${words.join(' ')}\n${stderr}`);
    return stdout;
  };
  // biome-ignore lint/suspicious/noExplicitAny: what the program prints; a test names what it expects.
  const json = async (...words: string[]): Promise<any> => JSON.parse(await ok(...words, '--output', 'json'));
  const start = async (workflowId: string, type: string, ...more: string[]): Promise<void> => {
    const which = ['--workflow-id', workflowId, '--type', type, '--task-queue', taskQueue];
    await ok('workflow', 'start', ...which, ...more);
  };
  /** What is visible follows what happened. */
  const until = async (what: string, isTrue: () => Promise<boolean>): Promise<void> => {
    const deadline = performance.now() + 30_000;
    while (!(await isTrue())) {
      assert.ok(performance.now() < deadline, `never came true: ${what}`);
      await pause(100);
    }
  };
  const isVisible = async (query: string): Promise<boolean> =>
    (await json('workflow', 'list', '--query', query)).length > 0;
  const statusOf = async (workflowId: string): Promise<string> =>
    (await json('workflow', 'describe', '--workflow-id', workflowId)).workflowExecutionInfo.status;

  test('a Workflow is started, described, listed and shown', async () => {
    const id = randomUUID();
    const [which, input] = [['--workflow-id', id], '"Hello"'];
    const result = await json(
      ...['workflow', 'execute', ...which, '--type', 'echo', '--task-queue', taskQueue, '--input', input],
    );
    assert.deepEqual([result.status, result.result], ['COMPLETED', 'Hello']);
    assert.equal(await statusOf(id), 'WORKFLOW_EXECUTION_STATUS_COMPLETED');
    await until('the Workflow is listed', () => isVisible(`WorkflowId = "${id}"`));
    const { events } = await json('workflow', 'show', ...which);
    assert.equal(events[0].eventType, 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED');
    assert.equal(events.at(-1).eventType, 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
    assert.equal((await json('workflow', 'count', '--query', `WorkflowId = "${id}"`)).count, '1');
  });

  test('a Workflow is signalled, queried and terminated', async () => {
    const id = randomUUID();
    const which = ['--workflow-id', id];
    await start(id, 'mailbox');
    await ok('workflow', 'signal', ...which, '--name', 'put', '--input', '"a letter"');
    const { queryResult } = await json('workflow', 'query', ...which, '--type', 'texts');
    assert.deepEqual(queryResult, [['a letter']]);
    await ok('workflow', 'terminate', ...which, '--reason', 'a test');
    assert.equal(await statusOf(id), 'WORKFLOW_EXECUTION_STATUS_TERMINATED');
  });

  test('a Schedule is created, listed, triggered and deleted', async () => {
    const id = randomUUID();
    const which = ['--schedule-id', id];
    const action = ['--workflow-id', `by-${id}`, '--type', 'echo', '--task-queue', taskQueue];
    await ok('schedule', 'create', ...which, ...action, '--input', '"tick"', '--interval', '24h');
    await until('the Schedule is listed', async () =>
      (await json('schedule', 'list')).some((it: { scheduleId: string }) => it.scheduleId === id),
    );
    await ok('schedule', 'trigger', ...which);
    await until('the Schedule has started its Workflow', () =>
      isVisible(`WorkflowId STARTS_WITH "by-${id}"`),
    );
    assert.equal((await json('schedule', 'describe', ...which)).info.actionCount, '1');
    await ok('schedule', 'delete', ...which);
    assert.notEqual((await run('schedule', 'describe', ...which)).exitCode, 0);
  });

  test('Workflows are terminated in a batch by query', async () => {
    const prefix = randomUUID();
    const ids = [1, 2, 3].map((number) => `${prefix}-${number}`);
    for (const id of ids) await start(id, 'mailbox');
    const query = `WorkflowId STARTS_WITH "${prefix}" AND ExecutionStatus = "Running"`;
    const count = async () => (await json('workflow', 'count', '--query', query)).count;
    await until('all of the batch is visible', async () => (await count()) === '3');
    const { batchJobId } = await json(
      'workflow',
      'terminate',
      '--query',
      query,
      '--reason',
      'a test',
      '--yes',
    );
    await until('the batch has come to its end', async () => {
      const { state } = await json('batch', 'describe', '--job-id', batchJobId);
      return state === 'BATCH_OPERATION_STATE_COMPLETED';
    });
    for (const id of ids) assert.equal(await statusOf(id), 'WORKFLOW_EXECUTION_STATUS_TERMINATED');
    const batches = await json('batch', 'list');
    assert.ok(batches.some((it: { jobId: string }) => it.jobId === batchJobId));
  });

  test('search attributes and a Task Queue with its pollers are shown', async () => {
    const { systemAttributes } = await json('operator', 'search-attribute', 'list');
    assert.equal(systemAttributes.WorkflowId, 'INDEXED_VALUE_TYPE_KEYWORD');
    const described = await json('task-queue', 'describe', '--task-queue', taskQueue);
    assert.ok(JSON.stringify(described).includes('"identity"'), JSON.stringify(described));
  });

  test('no command of the CLI that went well was refused a call', async () => {
    assert.deepEqual(await refusedCalls(house, from), []);
  });

  test("T-022 what is the platform's is refused to the CLI of a tenant", async () => {
    const { exitCode, stderr } = await run('operator', 'namespace', 'list');
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /Request unauthorized/);
  });
});
