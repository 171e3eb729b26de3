import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import {
  type CallOptions,
  decode,
  encode,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { ScriptedAnswer } from '../../packages/gatehouse/src/testing/scripted-engine.ts';
import {
  NEIGHBOUR,
  type ScriptedSite,
  startScriptedSite,
  TENANT,
} from '../../packages/gatehouse/src/testing/scripted-site.ts';

// T-039 and T-048a: what a faulty or hostile engine answers, and what a tenant gets to see of it. The engine is a
// script behind the real gateway, since a real one cannot be told to say such things.

let site: ScriptedSite;
let client: RawClient;

before(async () => {
  site = await startScriptedSite();
  client = site.open(TENANT);
});
beforeEach(() => {
  site.engine.answer = () => ({});
});
after(() => site.close());

function call(
  method: string,
  fields: Record<string, unknown> = {},
  options?: CallOptions,
): Promise<RawAnswer> {
  return client.call(
    WORKFLOW_SERVICE + method,
    encode(`workflowservice.v1.${method}Request`, fields),
    options,
  );
}

function describe(): Promise<RawAnswer> {
  return call('DescribeWorkflowExecution', { execution: { workflowId: 'order-1' } });
}

/** The engine gives this answer; what does the tenant get? */
async function answered(answer: ScriptedAnswer, work: () => Promise<RawAnswer> = describe) {
  site.engine.answer = () => answer;
  const observed = await site.observe(work);
  assert.equal(observed.engineSaw, 1);
  return observed;
}

test("T-039 the engine's ordinary errors reach the caller unchanged: status, text, details and back-off headers", async () => {
  const details = Buffer.from('the bytes of a google.rpc.Status').toString('base64');
  for (const [status, message] of [
    [3, 'Invalid RunId.'],
    [5, 'workflow not found for ID: order-1'],
    [
      6,
      'Workflow execution is already running. WorkflowId: order-1, RunId: 0198a2b4-0000-7000-8000-000000000001.',
    ],
    [9, 'Context timeout is too short.'],
    [13, 'something went wrong, please retry (1a2b3c4d)'],
  ] as const) {
    const { answer, event } = await answered({
      status,
      message,
      trailers: { 'grpc-status-details-bin': details },
    });
    assert.deepEqual([answer.status, answer.message], [status, message]);
    assert.equal(answer.headers['grpc-status-details-bin'], details);
    assert.deepEqual([event.outcome, event.reason, event.status], ['error', 'engine_error', status]);
  }
  const trailers = { 'x-resource-exhausted-cause': 'RPS_LIMIT', 'x-resource-exhausted-scope': 'NAMESPACE' };
  const { answer } = await answered({ status: 8, message: 'namespace rate limit exceeded', trailers });
  assert.deepEqual(
    [answer.headers['x-resource-exhausted-cause'], answer.headers['x-resource-exhausted-scope']],
    ['RPS_LIMIT', 'NAMESPACE'],
  );
});

test('T-039 stack traces, source files and internal addresses become a stable text with a request id; the log has the detail', async () => {
  for (const message of [
    'runtime error: invalid memory address\ngoroutine 91 [running]:\nmain.main()',
    'panic at service/frontend/workflow_handler.go:512',
    'shard owner 10.1.2.3:7234 is gone',
    'no peer at [fd00::17]:7235',
    'sqlite: disk I/O error',
  ]) {
    const { answer, event } = await answered({ status: 13, message });
    assert.deepEqual([answer.status, answer.message], [13, 'internal error']);
    assert.equal(answer.headers['grpc-status-details-bin'], undefined);
    assert.match(String(answer.headers['gatehouse-request-id']), /^\S{10,}$/);
    assert.deepEqual([event.outcome, event.reason, event.severity], ['error', 'internal', 'high']);
    const line = site.logLines.find((each) => each.includes(event.requestId));
    assert.ok(line?.includes(message.split('\n')[0] ?? '?'), 'the operator sees what was masked');
  }
});

test("T-039 another tenant's name or ids do not pass in an error, neither in its text nor in its details", async () => {
  const { engineId, uuid } = site.record(NEIGHBOUR);
  for (const word of [NEIGHBOUR, engineId ?? '', uuid]) {
    const text = await answered({ status: 5, message: `Namespace ${word} is not found.` });
    assert.deepEqual([text.answer.status, text.answer.message], [13, 'internal error']);
    const typeUrl = 'type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure';
    const detail = toBinary(AnySchema, create(AnySchema, { typeUrl, value: Buffer.from(word) }));
    const trailers = { 'grpc-status-details-bin': Buffer.from(detail).toString('base64') };
    const inDetails = await answered({ status: 5, message: 'not found', trailers });
    assert.deepEqual([inDetails.answer.status, inDetails.answer.message], [13, 'internal error']);
    assert.equal(inDetails.answer.headers['grpc-status-details-bin'], undefined);
  }
});

test('T-039 a name of a namespace that the caller used as his own id tells him nothing: the answer is as for any id', async () => {
  const texts: string[] = [];
  for (const workflowId of [NEIGHBOUR, 'nobody.other1']) {
    const { answer } = await answered(
      { status: 5, message: `workflow not found for ID: ${workflowId}` },
      () => call('DescribeWorkflowExecution', { execution: { workflowId } }),
    );
    assert.equal(answer.status, 5);
    texts.push(answer.message.replace(workflowId, '<id>'));
  }
  assert.equal(texts[0], texts[1]);
});

test('T-039 a huge text or huge trailers neither pass nor end the connection', async () => {
  const long = await answered({ status: 5, message: 'x'.repeat(10_000) });
  assert.deepEqual([long.answer.status, long.answer.message], [13, 'internal error']);
  const details = await answered({
    status: 5,
    message: 'not found',
    trailers: { 'grpc-status-details-bin': 'A'.repeat(50_000) + 'A'.repeat(20_000) },
  });
  assert.ok([13, 14].includes(details.answer.status), `${details.answer.status} ${details.answer.message}`);
  assert.ok(details.answer.message.length < 100);
  const { answer } = await answered({ body: new Uint8Array(0) });
  assert.equal(answer.status, 0);
});

test("a refusal of the gateway's own token is UNAVAILABLE and loud, never PERMISSION_DENIED", async () => {
  for (const status of [7, 16]) {
    const { answer, event } = await answered({ status, message: 'Request unauthorized.' });
    assert.deepEqual([answer.status, answer.message], [14, 'the workflow engine is not available; retry']);
    assert.deepEqual([event.reason, event.severity], ['engine_refused_gateway', 'high']);
  }
});

/** What the engine says by mistake is withheld: INTERNAL, one record of high severity, nothing of the payload. */
async function assertWithheld(body: Uint8Array, work: () => Promise<RawAnswer>): Promise<void> {
  const { answer, event } = await answered({ body }, work);
  assert.deepEqual([answer.status, answer.message], [13, 'internal error']);
  assert.equal(answer.body.length, 0);
  assert.deepEqual([event.reason, event.severity, event.status], ['reply_withheld', 'high', 13]);
}

const SECRET = { payloads: [{ data: Buffer.from('a secret of the neighbour') }] };

test("T-048a an activity task of another namespace is withheld, by the name in it and by the token's own namespace", async () => {
  const poll = () => call('PollActivityTaskQueue', { taskQueue: { name: 'orders' } });
  const token = (id: string | null) => encode('common.v1.WorkflowExecution', { workflowId: id ?? '' });
  const task = { activityId: '1', input: SECRET };
  const reply = (fields: Record<string, unknown>) =>
    encode('workflowservice.v1.PollActivityTaskQueueResponse', { ...task, ...fields });
  const mine = site.record(TENANT).engineId;
  const theirs = site.record(NEIGHBOUR).engineId;
  await assertWithheld(reply({ workflowNamespace: NEIGHBOUR, taskToken: token(mine) }), poll);
  await assertWithheld(reply({ workflowNamespace: TENANT, taskToken: token(theirs) }), poll);
  await assertWithheld(
    reply({ taskToken: encode('common.v1.WorkflowExecution', { runId: 'of nobody' }) }),
    poll,
  );
  const { answer } = await answered(
    { body: reply({ workflowNamespace: TENANT, taskToken: token(mine) }) },
    poll,
  );
  assert.equal(answer.status, 0);
  assert.ok(Buffer.from(answer.body).includes('a secret'));
});

test('T-048a a workflow task, a history, a description and a namespace of another tenant are withheld', async () => {
  const theirs = site.record(NEIGHBOUR).engineId ?? '';
  const started = (fields: Record<string, unknown>) => ({
    events: [
      {
        attributes: { case: 'workflowExecutionStartedEventAttributes', value: { input: SECRET, ...fields } },
      },
    ],
  });
  const message = (name: string, fields: Record<string, unknown>) =>
    encode(`workflowservice.v1.${name}Response`, fields);
  const history = () => call('GetWorkflowExecutionHistory', { execution: { workflowId: 'order-1' } });
  for (const fields of [{ parentWorkflowNamespace: NEIGHBOUR }, { parentWorkflowNamespaceId: theirs }]) {
    await assertWithheld(message('GetWorkflowExecutionHistory', { history: started(fields) }), history);
    await assertWithheld(message('PollWorkflowTaskQueue', { history: started(fields) }), () =>
      call('PollWorkflowTaskQueue', { taskQueue: { name: 'orders' } }),
    );
  }
  const info = { parentNamespaceId: theirs };
  await assertWithheld(message('DescribeWorkflowExecution', { workflowExecutionInfo: info }), describe);
  await assertWithheld(message('ListWorkflowExecutions', { executions: [{}, info] }), () =>
    call('ListWorkflowExecutions'),
  );
  for (const namespaceInfo of [{ name: NEIGHBOUR }, { id: theirs }]) {
    await assertWithheld(message('DescribeNamespace', { namespaceInfo }), () => call('DescribeNamespace'));
  }
});

test('T-048a eager tasks inside other replies are looked into as in polls', async () => {
  const theirs = encode('common.v1.WorkflowExecution', { workflowId: site.record(NEIGHBOUR).engineId ?? '' });
  const start = { eagerWorkflowTask: { taskToken: theirs } };
  await assertWithheld(encode('workflowservice.v1.StartWorkflowExecutionResponse', start), () =>
    call('StartWorkflowExecution', { workflowId: 'order-1' }),
  );
});

test("T-039 GetClusterInfo is the gateway's own answer, and names nothing of the engine", async () => {
  const { answer, engineSaw, event } = await site.observe(() => call('GetClusterInfo'));
  assert.deepEqual([answer.status, engineSaw, event.outcome], [0, 0, 'ok']);
  const info = decode('workflowservice.v1.GetClusterInfoResponse', answer.body);
  assert.deepEqual(
    [info.clusterName, info.clusterId, info.persistenceStore, info.visibilityStore],
    ['gatehouse', '', '', ''],
  );
});

test("T-039 GetSearchAttributes is answered from the namespace's own list, without columns of the store", async () => {
  site.engine.answer = ({ method, headers }) => {
    assert.equal(method, 'ListSearchAttributes');
    assert.equal(headers.authorization, `Bearer ${TENANT} read`);
    const lists = {
      customAttributes: { Customer: 2 },
      systemAttributes: { WorkflowId: 2 },
      storageSchema: { Keyword01: 'x' },
    };
    return { body: encode('operatorservice.v1.ListSearchAttributesResponse', lists) };
  };
  const { answer } = await site.observe(() => call('GetSearchAttributes'));
  const { keys } = decode('workflowservice.v1.GetSearchAttributesResponse', answer.body);
  assert.deepEqual(keys, { Customer: 2, WorkflowId: 2 });
  const asked = site.engine.seen.at(-1);
  assert.ok(asked);
  assert.equal(decode('operatorservice.v1.ListSearchAttributesRequest', asked.body).namespace, TENANT);
});
