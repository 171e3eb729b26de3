import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';
import {
  openCallbackToken,
  sealCallbackToken,
} from '../../packages/gatehouse/src/core/tokens/callback-token.ts';
import {
  type AttackSite,
  type ExpectedRefusal,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  encode,
  type RawAnswer,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { houseTarget } from './house-target.ts';
import { greetingsHandler } from './nexus/handlers.ts';
import type { caller as callerWorkflow, failingCaller } from './nexus/workflows.ts';
import { bareToken, refusesAll } from './raw-attacks.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';

const CALLER = 'default.local';
const HANDLER = 'beta.local';
const BYSTANDER = 'gamma.local';
const SYSTEM = 'temporal://system';
const TOKEN = 'temporal-callback-token';
const WORKFLOWS = fileURLToPath(new URL('nexus/workflows.ts', import.meta.url));
const COMPLETED = 2;
const CANCELED = 4;

const schedule = (endpoint: string, nexusHeader: Record<string, string> = {}) =>
  commands.scheduleNexus({ endpoint, service: 's', operation: 'o', nexusHeader });
const callback = (header: Record<string, string>, url = SYSTEM) => ({
  variant: { case: 'nexus', value: { url, header } },
});
const linkTo = (namespace: string, workflowId: string) => ({
  variant: { case: 'workflowEvent', value: { namespace, workflowId, runId: 'r' } },
});
const caseOf = (event: Reply): string => event.attributes.case.replace('EventAttributes', '');

describe('Nexus between two namespaces, on by the setting', { concurrency: false }, () => {
  let site: AttackSite;
  let caller: RawTenant;
  let handler: RawTenant;
  let bystander: RawTenant;
  /** Everything that a raw client was answered. */
  const answered: RawAnswer[] = [];

  before(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    site = await startAttackSite(['beta', 'gamma'], {
      nexusEnabled: true,
      nexusEndpoints: [
        { name: 'greetings', namespace: HANDLER, taskQueue: 'handlers' },
        { name: 'raw', namespace: HANDLER, taskQueue: 'raw' },
        { name: 'unlisted', namespace: HANDLER, taskQueue: 'raw' },
      ],
    });
    const { write } = site.house.up.platform.directory;
    await write.setNexusEndpoints(CALLER, ['greetings', 'raw', '__temporal_system']);
    [caller, handler, bystander] = [openHeard(CALLER), openHeard(HANDLER), openHeard(BYSTANDER)];
  });
  after(() => site?.close());

  function openHeard(id: string): RawTenant {
    const tenant = openTenant(site, id);
    const { call } = tenant.client;
    const heard: typeof call = async (...given) => {
      const answer = await call(...given);
      answered.push(answer);
      return answer;
    };
    Object.assign(tenant.client, { call: heard });
    return tenant;
  }

  /** A workflow of the caller that has called the raw endpoint, and the task that its handler was given. */
  async function openOperation(workflowId: string): Promise<{ task: Reply; start: Reply }> {
    await caller.start(workflowId);
    const completed = await caller.complete(await caller.takeTask(), [schedule('raw', { 'x-mine': 'kept' })]);
    assert.equal(completed.status, 0, completed.message);
    const task = await takeNexusTask();
    return { task, start: task.request.variant.value };
  }

  async function takeNexusTask(): Promise<Reply> {
    for (;;) {
      const poll = { taskQueue: { name: 'raw' }, identity: 'raw' };
      const task = await handler.ask('PollNexusTaskQueue', poll, { timeoutMs: 10_000 });
      if (task.taskToken.length > 0) return task;
    }
  }

  /** Tells the caller that the operation goes on. */
  async function answerAsync(task: Reply, operationToken: string): Promise<void> {
    const variant = { case: 'asyncSuccess', value: { operationToken } };
    const response = { variant: { case: 'startOperation', value: { variant } } };
    await handler.ask('RespondNexusTaskCompleted', { taskToken: task.taskToken, response, identity: 'raw' });
  }

  const startFields = (workflowId: string, completionCallbacks: readonly unknown[]) => ({
    workflowId,
    workflowType: { name: 'orders' },
    taskQueue: { name: 'orders' },
    requestId: workflowId,
    completionCallbacks,
  });

  const uuidOf = (id: string): string =>
    site.house.up.platform.directory.snapshot().namespaces.get(id)?.uuid ?? '';
  const keys = () => site.house.up.platform.directory.tokenKeys();

  async function historyOf(tenant: RawTenant, workflowId: string): Promise<readonly Reply[]> {
    const { history } = await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId } });
    return history.events;
  }

  function settings(namespace: string) {
    const { address, tls } = houseTarget(site.house, namespace);
    return {
      address,
      tls: {
        serverNameOverride: tls.serverName,
        serverRootCACertificate: readFileSync(tls.caFile),
        clientCertPair: { crt: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) },
      },
    };
  }

  async function startSdkWorker(namespace: string, taskQueue: string) {
    const connection = await NativeConnection.connect(settings(namespace));
    const nexusServices = namespace === HANDLER ? [greetingsHandler()] : [];
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue,
      workflowsPath: WORKFLOWS,
      nexusServices,
    });
    const running = worker.run();
    return async () => {
      worker.shutdown();
      await running;
      await connection.close();
    };
  }

  test('with Workers of the SDK operations are answered at once and by workflows, fail, and are cancelled', async () => {
    const from = (await site.house.events()).length;
    const stops = [await startSdkWorker(CALLER, 'callers'), await startSdkWorker(HANDLER, 'handlers')];
    const connection = await Connection.connect(settings(CALLER));
    try {
      const { workflow } = new Client({ connection, namespace: CALLER });
      const answers = await workflow.execute<typeof callerWorkflow>('caller', {
        taskQueue: 'callers',
        workflowId: 'caller',
        args: ['greetings'],
        workflowExecutionTimeout: '60 seconds',
      });
      const [hello, greet, refuse, wait] = answers;
      assert.deepEqual([hello, greet, wait], ['hello, sync', 'greetings, async', 'cancelled']);
      assert.match(String(refuse), /no greetings today/);
      const told = await workflow.execute<typeof failingCaller>('failingCaller', {
        taskQueue: 'callers',
        workflowId: 'failing-caller',
        args: ['greetings'],
        workflowExecutionTimeout: '60 seconds',
      });
      const failed = 'NexusOperationFailure nexus operation completed unsuccessfully';
      assert.deepEqual(told, [
        `fail: ${failed} < HandlerError Handler failed with non-retryable application error < ApplicationFailure no fail [{"name":"fail"}]`,
        `deny: ${failed} < HandlerError denied deny < TemporalFailure for deny`,
        `failLater: ${failed} < ApplicationFailure later no failLater ["failLater"]`,
        'echo: 0 255 1',
        'nothing: undefined',
      ]);
      const execution = { workflowId: 'waiting-cancelled' };
      const { workflowExecutionInfo } = await handler.ask('DescribeWorkflowExecution', { execution });
      assert.equal(workflowExecutionInfo.status, CANCELED);
    } finally {
      await Promise.all(stops.map((stop) => stop()));
      await connection.close();
    }
    assert.deepEqual(await refusedCalls(site.house, from), []);
  });

  const refusedCallback = (namespace: string): ExpectedRefusal => ({
    code: 'callback_refused',
    record: { namespace, severity: 'high' },
  });

  test("T-045 a handler's callback reaches its caller, and no reply on the way holds the engine's own token", async () => {
    answered.length = 0;
    const { task, start } = await openOperation('raw-caller');
    assert.equal(task.request.header['x-mine'], 'kept');
    const { callback: url, callbackHeader } = start;
    assert.deepEqual([url, Object.keys(callbackHeader)], [SYSTEM, [TOKEN]]);
    await answerAsync(task, 'raw-operation');

    const links = [linkTo(CALLER, 'raw-caller')];
    const completionCallbacks = [{ ...callback({ ...callbackHeader, source: 'x', 'x-more': 'y' }), links }];
    await handler.ask('StartWorkflowExecution', startFields('raw-handler', completionCallbacks));
    const execution = { workflowId: 'raw-handler' };
    const described = await handler.ask('DescribeWorkflowExecution', { execution });
    const held = described.callbacks[0].callback.variant.value;
    assert.deepEqual([held.url, Object.keys(held.header)], [SYSTEM, [TOKEN]]);
    await handler.complete(await handler.takeTask(), [commands.completeWorkflow()]);
    await until('the operation is completed', async () => {
      const events = await historyOf(caller, 'raw-caller');
      return events.some((event) => caseOf(event) === 'nexusOperationCompleted');
    });
    // The callers' next task holds the whole of its history, links to another namespace and all.
    await caller.complete(await caller.takeTask(), [commands.completeWorkflow()]);
    const [started] = await historyOf(handler, 'raw-handler');
    const [stored] = started.attributes.value.completionCallbacks;
    const sealed = stored.variant.value.header[TOKEN];
    await handler.ask('DescribeWorkflowExecution', { execution });

    const engineToken = openCallbackToken(keys(), uuidOf(HANDLER), sealed) ?? '';
    const { d: completion } = JSON.parse(engineToken);
    assert.ok(completion.length > 50);
    assert.ok(answered.length > 10);
    for (const { body } of answered) {
      const text = Buffer.from(body).toString('latin1');
      for (const word of ['"v":1', completion]) assert.ok(!text.includes(word), word);
    }
  });

  test('T-045 a callback elsewhere, or with a token that is not ours for this namespace, is refused', async () => {
    const { task, start } = await openOperation('raw-attacked');
    await answerAsync(task, 'raw-attacked');
    const sealed: string = start.callbackHeader[TOKEN];
    const engineToken = openCallbackToken(keys(), uuidOf(HANDLER), sealed) ?? '';
    const foreign = sealCallbackToken(keys(), uuidOf(BYSTANDER), engineToken);
    const good = { [TOKEN]: sealed };
    const hostile: readonly unknown[] = [
      ...[
        'temporal://internal',
        'https://hooks.example.com/',
        'http://127.0.0.1:7246/nexus/callback',
        'http://169.254.169.254/latest',
        `https://temporal:system@${site.house.endpoint.grpc}/`,
      ].map((url) => callback(good, url)),
      callback({ [TOKEN]: engineToken }),
      callback({ [TOKEN]: foreign }),
      callback({ [TOKEN]: `${sealed}A` }),
      callback({ [TOKEN]: sealed, 'Temporal-Callback-Token': engineToken }),
      callback({}),
      { variant: { case: 'internal', value: { data: Buffer.from('reference') } } },
    ];
    const attempt = (tenant: RawTenant, given: unknown) => () =>
      tenant.call('StartWorkflowExecution', startFields('attack', [given]));
    await refusesAll(
      site,
      refusedCallback(HANDLER),
      hostile.map((given) => attempt(handler, given)),
    );
    for (const thief of [caller, bystander]) {
      await refusesAll(site, refusedCallback(thief.id), [attempt(thief, callback(good))]);
    }
    const inMulti = { case: 'startWorkflow', value: startFields('attack', [callback(good), hostile[5]]) };
    const operations = [{ operation: inMulti }];
    await refusesAll(site, refusedCallback(HANDLER), [
      () => handler.call('ExecuteMultiOperation', { namespace: HANDLER, operations }),
    ]);
    await handler.ask('StartWorkflowExecution', startFields('attack', [callback(good)]));
  });

  test("T-045 a header that would replace the engine's callback token is refused, which the engine alone is not up to", async () => {
    await caller.start('header-attack');
    const task = await caller.takeTask();
    const forged = { 'Nexus-Callback-Temporal-Callback-Token': '{"v":1,"d":"forged"}' };
    const headers = [forged, { authorization: 'Bearer x' }, { source: 'x' }, { 'caller-type': 'operator' }];
    await refusesAll(
      site,
      {
        code: 'field_refused',
        publicDetail: 'a Nexus header whose name is reserved',
        record: { namespace: CALLER },
      },
      headers.map((header) => () => caller.complete(task, [schedule('raw', header)])),
    );
    const { engine } = site.house.up.platform;
    const message = encode('workflowservice.v1.RespondWorkflowTaskCompletedRequest', {
      namespace: CALLER,
      taskToken: bareToken(site, CALLER, task.taskToken, 'workflow-task'),
      commands: [schedule('raw', forged)],
    });
    const path = `${WORKFLOW_SERVICE}RespondWorkflowTaskCompleted`;
    const direct = await callEngine(engine, path, message, engine.tokens.mintToken('', 'system-admin'));
    assert.equal(direct.status, 0, direct.message);
    const nexusTask = await takeNexusTask();
    await answerAsync(nexusTask, 'forged');
    const sealed = nexusTask.request.variant.value.callbackHeader[TOKEN];
    assert.equal(
      openCallbackToken(keys(), uuidOf(HANDLER), sealed),
      forged['Nexus-Callback-Temporal-Callback-Token'],
    );
  });

  test("T-046a an endpoint that is not on the namespace's list is refused, and the engine's own one always", async () => {
    await caller.start('unlisted-caller');
    const task = await caller.takeTask();
    const refused: ExpectedRefusal = { code: 'method_denied', record: { namespace: CALLER } };
    await refusesAll(
      site,
      refused,
      ['unlisted', 'Raw', '__temporal_system'].map(
        (endpoint) => () => caller.complete(task, [schedule('raw'), schedule(endpoint)]),
      ),
    );
    // What its handler's namespace does not list is closed to that too.
    await handler.start('unlisted-handler');
    const own = await handler.takeTask();
    await refusesAll(site, { ...refused, record: { namespace: HANDLER } }, [
      () => handler.complete(own, [schedule('raw')]),
    ]);
    assert.equal((await caller.complete(task, [commands.completeWorkflow()])).status, 0);
  });

  test('T-046b a link to another namespace is stored and shown as text, and leads nowhere', async () => {
    await site.engine.settle();
    await caller.start('linked', { links: [linkTo(BYSTANDER, 'theirs')] });
    const [started] = await historyOf(caller, 'linked');
    assert.deepEqual(
      started.links.map((each: Reply) => each.variant.value.namespace),
      [BYSTANDER],
    );
    await site.engine.saw(
      { 'GetWorkflowExecutionHistory default_local': 1, 'StartWorkflowExecution default_local': 1 },
      async () => undefined,
    );
    const execution = { workflowId: 'linked' };
    const { workflowExecutionInfo } = await caller.ask('DescribeWorkflowExecution', { execution });
    assert.notEqual(workflowExecutionInfo.status, COMPLETED);
  });

  test('T-099 the self-test holds, and tells what Nexus costs', async () => {
    const checks = await site.house.up.platform.engine.selfTest();
    assert.deepEqual(
      checks.filter((check) => !check.held),
      [],
    );
    assert.ok(checks.some(({ detail }) => detail.startsWith('known cost of Nexus')));
    assert.ok(checks.some(({ check, detail }) => check.includes('HTTP API') && detail === 'HTTP status 403'));
  });
});

describe('Nexus, off by default', { concurrency: false }, () => {
  let site: AttackSite;
  before(async () => {
    site = await startAttackSite();
  });
  after(() => site?.close());

  test('T-046a every call and every command of Nexus is refused by the name of the setting, and every callback', async () => {
    const tenant = openTenant(site, CALLER);
    await site.house.up.platform.directory.write.setNexusEndpoints(CALLER, ['raw']);
    await tenant.start('off');
    const task = await tenant.takeTask();
    await refusesAll(site, { code: 'nexus_disabled', record: { namespace: CALLER } }, [
      () => tenant.call('PollNexusTaskQueue', { taskQueue: { name: 'raw' } }),
      () => tenant.call('RespondNexusTaskCompleted', { taskToken: Buffer.from('x') }),
      () => tenant.call('RespondNexusTaskFailed', { taskToken: Buffer.from('x') }),
      () => tenant.complete(task, [schedule('raw')]),
    ]);
    const sealed = sealCallbackToken(
      site.house.up.platform.directory.tokenKeys(),
      site.house.up.platform.directory.snapshot().namespaces.get(CALLER)?.uuid ?? '',
      '{"v":1,"d":""}',
    );
    const fields = {
      workflowId: 'callback',
      workflowType: { name: 'orders' },
      taskQueue: { name: 'orders' },
      completionCallbacks: [callback({ [TOKEN]: sealed })],
    };
    await refusesAll(site, { code: 'callback_refused', record: { namespace: CALLER, severity: 'high' } }, [
      () => tenant.call('StartWorkflowExecution', fields),
    ]);
  });
});
