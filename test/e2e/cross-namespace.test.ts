import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';
import {
  type AttackSite,
  type ExpectedRefusal,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { encode, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { bareToken, refusesAll } from './raw-attacks.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';

// threats.md 3.6: two tenants of one real engine, one of whom is hostile. Every refusal is asserted on the wire,
// in the record, and at the engine's own counters.

const HOSTILE = 'default.local';
const VICTIM = 'beta.local';

let site: AttackSite;
let hostile: RawTenant;
let victim: RawTenant;

before(async () => {
  site = await startAttackSite(['beta']);
  hostile = openTenant(site, HOSTILE);
  victim = openTenant(site, VICTIM);
  await victim.start('target');
});
after(() => site.close());

const DENIED: ExpectedRefusal = {
  code: 'namespace_mismatch',
  record: { namespace: HOSTILE, severity: 'medium' },
};

const foreignCommands = () => {
  const execution = { workflowId: 'target' };
  return [
    commands.signalExternal({ namespace: VICTIM, execution, signalName: 'owned' }),
    commands.cancelExternal({ namespace: VICTIM, workflowId: 'target' }),
    commands.startChild({
      namespace: VICTIM,
      workflowId: 'owned',
      workflowType: { name: 'orders' },
      taskQueue: { name: 'orders' },
    }),
  ];
};

test('T-040 a command that names a foreign namespace ends the whole completion, alone and as the last of a thousand', async () => {
  await hostile.start('commander');
  const task = await hostile.takeTask();
  const innocent = Array.from({ length: 999 }, (_, index) => commands.timer(`t${index}`));
  const attacks = foreignCommands().flatMap((command) => [
    () => hostile.complete(task, [command]),
    () => hostile.complete(task, [...innocent, command]),
  ]);
  await refusesAll(site, DENIED, attacks);
  const answer = await hostile.complete(task, [commands.completeWorkflow()]);
  assert.equal(answer.status, 0, 'the task itself is untouched');
});

test('T-040 the engine behind it refuses such commands too, whoever sends them', async () => {
  const { engine } = site.house.up.platform;
  const token = () => engine.tokens.mintToken('', 'system-admin');
  const path = `${WORKFLOW_SERVICE}RespondWorkflowTaskCompleted`;
  for (const [index, command] of foreignCommands().entries()) {
    await hostile.start(`direct-${index}`);
    const { taskToken } = await hostile.takeTask();
    const bare = bareToken(site, hostile.id, taskToken, 'workflow-task');
    const request = { namespace: HOSTILE, taskToken: bare, commands: [command] };
    const message = encode('workflowservice.v1.RespondWorkflowTaskCompletedRequest', request);
    const answer = await callEngine(engine, path, message, token());
    assert.equal(answer.status, 3, answer.message);
    await hostile.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId: `direct-${index}` } });
  }
  const history = await victim.ask('GetWorkflowExecutionHistory', { execution: { workflowId: 'target' } });
  const reached = history.history.events.map((event: Reply) => event.attributes.case);
  assert.ok(!reached.includes('workflowExecutionSignaledEventAttributes'));
  assert.ok(!reached.includes('workflowExecutionCancelRequestedEventAttributes'));
});

test('T-041 a start or an update inside ExecuteMultiOperation that names another namespace is refused', async () => {
  const start = {
    workflowId: 'multi',
    workflowType: { name: 'orders' },
    taskQueue: { name: 'multi' },
    requestId: 'multi',
    workflowIdConflictPolicy: 2,
  };
  const update = { workflowExecution: { workflowId: 'multi' }, request: { input: { name: 'u' } } };
  const operations = (startIn: string, updateIn: string) => [
    { operation: { case: 'startWorkflow', value: { ...start, namespace: startIn } } },
    { operation: { case: 'updateWorkflow', value: { ...update, namespace: updateIn } } },
  ];
  const send = (namespace: string, startIn: string, updateIn: string) => () =>
    hostile.call(
      'ExecuteMultiOperation',
      { namespace, operations: operations(startIn, updateIn) },
      { timeoutMs: 2500 },
    );
  await refusesAll(site, DENIED, [
    send(HOSTILE, VICTIM, HOSTILE),
    send(HOSTILE, HOSTILE, VICTIM),
    send(HOSTILE, VICTIM, VICTIM),
    send(VICTIM, VICTIM, VICTIM),
    send('', HOSTILE, VICTIM),
  ]);
  await site.engine.saw({ 'ExecuteMultiOperation default_local': 1 }, async () => {
    const answer = await send(HOSTILE, HOSTILE, HOSTILE)();
    assert.notEqual(answer.status, 7, 'with its own name everywhere it reaches the engine');
  });
});

test('T-042 a batch that names a foreign namespace is refused, as is one with a foreign link in what it resets to', async () => {
  const batch = (fields: Record<string, unknown>) => () =>
    hostile.call('StartBatchOperation', { namespace: HOSTILE, jobId: 'batch', reason: 'x', ...fields });
  const executions = [{ workflowId: 'target' }];
  const terminate = { operation: { case: 'terminationOperation', value: {} } };
  const link = {
    variant: { case: 'workflowEvent', value: { namespace: VICTIM, workflowId: 'target', runId: 'r' } },
  };
  const signal = { variant: { case: 'signalWorkflow', value: { signalName: 's', links: [link] } } };
  const reset = { operation: { case: 'resetOperation', value: { postResetOperations: [signal] } } };
  await refusesAll(site, DENIED, [
    batch({ namespace: VICTIM, executions, ...terminate }),
    batch({ namespace: VICTIM, visibilityQuery: `WorkflowType = 'orders'`, ...terminate }),
    batch({ executions, ...reset }),
  ]);
});

test('T-042 a batch ends the workflows of its own namespace alone, though another has the same ids and types', async () => {
  const shared = { workflowType: { name: 'swept' }, taskQueue: { name: 'swept' } };
  for (const tenant of [hostile, victim]) {
    for (const id of ['swept-1', 'swept-2']) await tenant.start(id, shared);
  }
  const query = `WorkflowType = 'swept' AND ExecutionStatus = 'Running'`;
  const running = async (tenant: RawTenant) =>
    Number((await tenant.ask('CountWorkflowExecutions', { query })).count);
  for (const tenant of [hostile, victim])
    await until('both are listed', async () => (await running(tenant)) === 2);
  await hostile.ask('StartBatchOperation', {
    namespace: HOSTILE,
    jobId: 'sweep',
    reason: 'test',
    visibilityQuery: query,
    operation: { case: 'terminationOperation', value: { identity: 'raw' } },
  });
  await until('the batch is done', async () => (await running(hostile)) === 0);
  assert.equal(await running(victim), 2);
  for (const id of ['swept-1', 'swept-2']) {
    const { workflowExecutionInfo } = await victim.ask('DescribeWorkflowExecution', {
      execution: { workflowId: id },
    });
    assert.equal(workflowExecutionInfo.status, 1, 'still running');
  }
});

test('T-045 a completion callback is refused, whatever it points to: the engine would call it', async () => {
  const urls = [
    'temporal://system',
    'temporal://internal',
    'http://127.0.0.1:7243/namespaces/beta.local/nexus/callback',
    'http://169.254.169.254/latest/meta-data/',
    'https://user:secret@example.com/',
    'https://10.0.0.1/',
    'https://example.com/callback',
    'file:///etc/passwd',
    '',
  ];
  const start = (callback: Record<string, unknown>) => ({
    namespace: HOSTILE,
    workflowId: 'called-back',
    workflowType: { name: 'orders' },
    taskQueue: { name: 'orders' },
    requestId: 'r',
    completionCallbacks: [callback],
  });
  const nexus = urls.map((url) => ({
    variant: { case: 'nexus', value: { url, header: { 'temporal-callback-token': 'x', source: 'x' } } },
  }));
  const internal = { variant: { case: 'internal', value: { data: Buffer.from('x') } } };
  const attacks = [...nexus, internal, {}].flatMap((callback) => [
    () => hostile.call('StartWorkflowExecution', start(callback)),
    () =>
      hostile.call('ExecuteMultiOperation', {
        namespace: HOSTILE,
        operations: [{ operation: { case: 'startWorkflow', value: start(callback) } }],
      }),
  ]);
  await refusesAll(site, { code: 'callback_refused', record: { severity: 'high' } }, attacks);
});

test('T-046a Nexus is closed: commands, polls and endpoints are refused, and no HTTP route of the engine listens', async () => {
  await hostile.start('nexus', { taskQueue: { name: 'nexus' } });
  const task = await hostile.takeTask('nexus');
  const schedule = (endpoint: string) => () =>
    hostile.complete(task, [commands.scheduleNexus({ endpoint, service: 's', operation: 'o' })]);
  await refusesAll(site, { code: 'nexus_disabled' }, [
    schedule('payments'),
    schedule('__temporal_system'),
    () => hostile.call('PollNexusTaskQueue', { taskQueue: { name: 'nexus' } }),
    () => hostile.call('RespondNexusTaskCompleted', {}),
    () => hostile.call('RespondNexusTaskFailed', {}),
  ]);
  const operator = '/temporal.api.operatorservice.v1.OperatorService/';
  const endpoints = [
    'CreateNexusEndpoint',
    'UpdateNexusEndpoint',
    'DeleteNexusEndpoint',
    'ListNexusEndpoints',
  ];
  await refusesAll(
    site,
    { code: 'method_denied' },
    endpoints.map((method) => () => hostile.client.call(operator + method, new Uint8Array(0))),
  );
  const { nexusHttp } = JSON.parse(readFileSync(join(site.house.home, 'engine', 'ports.json'), 'utf8'));
  const connected = await new Promise<boolean>((resolve) => {
    const socket = connectTcp(nexusHttp, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
  assert.equal(connected, false, 'nothing listens on the port of the Nexus routes');
});

test('T-046b a link to a foreign namespace is refused wherever a link can be sent; one to the own namespace is kept', async () => {
  const link = (namespace: string) => ({
    variant: {
      case: 'workflowEvent',
      value: {
        namespace,
        workflowId: 'target',
        runId: '0198a2b4-0000-7000-8000-000000000001',
        reference: { case: 'eventRef', value: { eventId: 1n, eventType: 1 } },
      },
    },
  });
  await hostile.start('linked');
  const workflowExecution = { workflowId: 'linked' };
  const requests = (namespace: string): readonly (readonly [string, Record<string, unknown>])[] => {
    const links = [link(namespace)];
    const start = { workflowType: { name: 'orders' }, taskQueue: { name: 'orders' }, links };
    return [
      ['StartWorkflowExecution', { ...start, workflowId: 'linked-2', requestId: 'a' }],
      [
        'SignalWithStartWorkflowExecution',
        { ...start, workflowId: 'linked-2', signalName: 's', requestId: 'b' },
      ],
      ['SignalWorkflowExecution', { workflowExecution, signalName: 's', links }],
      ['RequestCancelWorkflowExecution', { workflowExecution, links }],
      ['TerminateWorkflowExecution', { workflowExecution, links }],
    ];
  };
  await refusesAll(
    site,
    DENIED,
    requests(VICTIM).map(
      ([method, fields]) =>
        () =>
          hostile.call(method, { namespace: HOSTILE, ...fields }),
    ),
  );
  for (const [method, fields] of requests(HOSTILE))
    await hostile.ask(method, { namespace: HOSTILE, ...fields });
});

test('T-046b a run of another namespace cannot be named in its place: the engine finds nothing', async () => {
  const { workflowExecutionInfo } = await victim.ask('DescribeWorkflowExecution', {
    execution: { workflowId: 'target' },
  });
  const { runId } = workflowExecutionInfo.execution;
  const workflowExecution = { workflowId: 'target', runId };
  for (const [method, fields] of [
    ['DescribeWorkflowExecution', { execution: workflowExecution }],
    ['GetWorkflowExecutionHistory', { execution: workflowExecution }],
    ['SignalWorkflowExecution', { workflowExecution, signalName: 's' }],
    ['TerminateWorkflowExecution', { workflowExecution, firstExecutionRunId: runId }],
    [
      'TerminateWorkflowExecution',
      { workflowExecution: { workflowId: 'target' }, firstExecutionRunId: runId },
    ],
    ['ResetWorkflowExecution', { workflowExecution, workflowTaskFinishEventId: 3n, requestId: 'r' }],
    ['DeleteWorkflowExecution', { workflowExecution }],
  ] as const) {
    const answer = await hostile.call(method, fields);
    assert.equal(answer.status, 5, `${method}: ${answer.status} ${answer.message}`);
    assert.ok(!answer.message.includes(VICTIM));
  }
});
