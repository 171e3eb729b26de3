import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import { methodTables, requestTables } from '#base/proto/wire-tables';
import { accessOf } from '#core/access/method-access';
import { bindToken, type TokenKind } from '#core/tokens/token-binding';
import { decode, encode } from '#testing/grpc-client';
import { placesOf, type RolePlace } from '#testing/role-places';
import type { PermittedCall } from './identified-call.ts';
import {
  frameOf,
  keyring,
  OTHER,
  OTHER_ENGINE_ID,
  OWN,
  OWN_ENGINE_ID,
  other,
  own,
  permitted,
  refusal,
  settings,
  type Whole,
  whole,
} from './transform-fixture.test.ts';
import { type OutgoingRequest, type TransformSettings, transformRequest } from './transform-request.ts';

const relayed = [...methodTables.keys()].filter((path) => /^(?:read|write)$/.test(accessOf(path) ?? ''));

function send(
  call: PermittedCall,
  message: Uint8Array,
  given: TransformSettings = settings,
): Whole<OutgoingRequest> {
  return whole(transformRequest(call, frameOf(message), given, undefined));
}

/** Every place for a role in every method that is relayed. */
function* everywhere(role: number): Generator<{ readonly call: PermittedCall; readonly place: RolePlace }> {
  for (const path of relayed) {
    const call = permitted(path);
    for (const place of placesOf(requestTables, call.method.request, role)) yield { call, place };
  }
}

test('T-019 T-040 T-041 T-046b a foreign namespace is refused at every place of every request', () => {
  let count = 0;
  for (const { call, place } of [...everywhere(Role.namespace), ...everywhere(Role.linkNamespace)]) {
    count += 1;
    send(call, place.message(OWN));
    for (const foreign of [OTHER, 'nobody.acme1', 'ORDERS.acme1', `${OWN} `, 'orders', `${OWN}.acme1`]) {
      assert.throws(() => send(call, place.message(foreign)), refusal('namespace_mismatch'), place.name);
    }
  }
  assert.ok(count > 90, `${count} places`);
  const commands = placesOf(
    requestTables,
    permitted('RespondWorkflowTaskCompleted').method.request,
    Role.namespace,
  );
  // The call's own, and one for each of the three commands that name a target (CVE-2025-14987).
  assert.ok(commands.length >= 4);
  const multi = placesOf(requestTables, permitted('ExecuteMultiOperation').method.request, Role.namespace);
  // The call's own, and one for each of the two operations (CVE-2025-14986).
  assert.ok(multi.length >= 3);
});

test('T-021a a request without a namespace, or with an empty one, gets that of the connection', () => {
  for (const message of [
    encode('workflowservice.v1.CountWorkflowExecutionsRequest', { query: 'x' }),
    emptyNamespace(),
  ]) {
    const { frame } = send(permitted('CountWorkflowExecutions'), message);
    const sent = decode('workflowservice.v1.CountWorkflowExecutionsRequest', frame.subarray(5));
    assert.deepEqual([sent.namespace, sent.query], [OWN, 'x']);
  }
});

function emptyNamespace(): Uint8Array {
  const rest = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { query: 'x' });
  return Buffer.concat([Buffer.from([0x0a, 0x00]), rest]);
}

test('a request that needs no change goes on as the very bytes that came', () => {
  const frame = frameOf(encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: OWN }));
  assert.equal(
    transformRequest(permitted('CountWorkflowExecutions'), frame, settings, undefined).frame,
    frame,
  );
});

test("T-021b a namespace given by id is the connection's own, and goes on by name", () => {
  const call = permitted('DescribeNamespace');
  for (const request of [{ id: OWN_ENGINE_ID }, { id: OWN_ENGINE_ID, namespace: OWN }]) {
    const { frame } = send(call, encode('workflowservice.v1.DescribeNamespaceRequest', request));
    const sent = decode('workflowservice.v1.DescribeNamespaceRequest', frame.subarray(5));
    assert.deepEqual([sent.namespace, sent.id], [OWN, '']);
  }
  for (const id of [OTHER_ENGINE_ID, OWN_ENGINE_ID.toUpperCase(), other.uuid, own.uuid, OWN]) {
    const message = encode('workflowservice.v1.DescribeNamespaceRequest', { id });
    assert.throws(() => send(call, message), refusal('namespace_mismatch'), id);
  }
});

const tokenRoles: readonly (readonly [number, TokenKind])[] = [
  [Role.workflowTaskToken, 'workflow-task'],
  [Role.activityTaskToken, 'activity-task'],
  [Role.longPollToken, 'long-poll'],
];

test('T-043 T-044 a task token opens in the namespace and for the kind of task that it was given for, else nowhere', () => {
  for (const [role, kind] of tokenRoles) {
    for (const { call, place } of everywhere(role)) {
      const bind = (namespaceUuid: string, as: TokenKind): Buffer =>
        bindToken(keyring, { namespaceUuid, kind: as, question: '' }, Buffer.from('engine'));
      const { frame } = send(call, place.message(bind(own.uuid, kind)));
      assert.ok(frame.includes('engine'), place.name);
      assert.ok(!frame.includes(bind(own.uuid, kind)), place.name);
      for (const foreign of [
        bind(other.uuid, kind),
        bind(own.uuid, kind === 'page' ? 'long-poll' : 'page'),
        bind(own.uuid, kind === 'activity-task' ? 'workflow-task' : 'activity-task'),
        Buffer.from('engine'),
        Buffer.alloc(400, 0xa7),
      ]) {
        assert.throws(() => send(call, place.message(foreign)), refusal('token_foreign'), place.name);
      }
    }
  }
});

test('T-044b a page token opens for the same method and the same question only', () => {
  const list = (query: string, nextPageToken: Uint8Array = new Uint8Array(0)): Uint8Array =>
    encode('workflowservice.v1.ListWorkflowExecutionsRequest', { query, nextPageToken });
  const page = (question: string, namespaceUuid = own.uuid): Uint8Array =>
    bindToken(keyring, { namespaceUuid, kind: 'page', question }, Buffer.from('engine'));
  const call = permitted('ListWorkflowExecutions');
  const { question } = send(call, list('a'));
  assert.ok(send(call, list('a', page(question))).frame.includes('engine'));
  for (const refused of [
    list('b', page(question)),
    list('', page(question)),
    list('a', page(question, other.uuid)),
  ]) {
    assert.throws(() => send(call, refused), refusal('token_foreign'));
  }
  for (const method of ['ScanWorkflowExecutions', 'ListArchivedWorkflowExecutions', 'ListSchedules']) {
    const request = encode(`workflowservice.v1.${method}Request`, {
      query: 'a',
      nextPageToken: page(question),
    });
    assert.throws(() => send(permitted(method), request), refusal('token_foreign'), method);
  }
});

test('T-044b a page token of a history opens for its own workflow, run and direction only', () => {
  const request = (workflowId: string, runId: string, nextPageToken: Uint8Array = new Uint8Array(0)) =>
    encode('workflowservice.v1.GetWorkflowExecutionHistoryRequest', {
      execution: { workflowId, runId },
      nextPageToken,
    });
  const call = permitted('GetWorkflowExecutionHistory');
  const { question } = send(call, request('a', 'r'));
  const token = bindToken(
    keyring,
    { namespaceUuid: own.uuid, kind: 'page', question },
    Buffer.from('engine'),
  );
  assert.ok(send(call, request('a', 'r', token)).frame.includes('engine'));
  for (const [workflowId, runId] of [
    ['a', 's'],
    ['a', ''],
    ['b', 'r'],
    ['r', 'a'],
    ['a\nr', ''],
    ['', ''],
  ] as const) {
    assert.throws(() => send(call, request(workflowId, runId, token)), refusal('token_foreign'));
  }
  const reverse = encode('workflowservice.v1.GetWorkflowExecutionHistoryReverseRequest', {
    execution: { workflowId: 'a', runId: 'r' },
    nextPageToken: token,
  });
  assert.throws(
    () => send(permitted('GetWorkflowExecutionHistoryReverse'), reverse),
    refusal('token_foreign'),
  );
});

test('T-045 while Nexus is off a completion callback is refused at every place, whatever its address', () => {
  let count = 0;
  for (const { call, place } of everywhere(Role.callback)) {
    count += 1;
    for (const url of [
      'temporal://system',
      'temporal://internal',
      'https://example.com',
      'http://127.0.0.1/',
      '',
    ]) {
      const callback = encode('common.v1.Callback', { variant: { case: 'nexus', value: { url } } });
      assert.throws(() => send(call, place.message(callback)), refusal('callback_refused'), place.name);
    }
    const internal = encode('common.v1.Callback', {
      variant: { case: 'internal', value: { data: Buffer.from('x') } },
    });
    assert.throws(() => send(call, place.message(internal)), refusal('callback_refused'), place.name);
    assert.throws(() => send(call, place.message('')), refusal('callback_refused'), place.name);
  }
  assert.ok(count >= 2, `${count} places`);
});

test('T-046a a Nexus operation is refused by the name of the setting while Nexus is off, and by list while it is on', () => {
  const call = permitted('RespondWorkflowTaskCompleted');
  const [place] = placesOf(requestTables, call.method.request, Role.nexusEndpoint);
  assert.ok(place);
  assert.throws(
    () => send(call, place.message('payments')),
    (error) => refusal('nexus_disabled')(error) && /engine\.nexus\.enabled/.test(String(error)),
  );
  const on = { ...settings, nexusEnabled: true };
  send(call, place.message('payments'), on);
  for (const endpoint of ['__temporal_system', 'others', 'Payments', '']) {
    assert.throws(() => send(call, place.message(endpoint), on), refusal('method_denied'), endpoint);
  }
});

test('T-101a a task queue of the engine is refused at every place of every request, polls included', () => {
  const polls = new Set<string>();
  for (const { call, place } of everywhere(Role.taskQueue)) {
    if (/\/Poll/.test(call.method.path)) polls.add(call.method.name);
    send(call, place.message('orders'));
    send(call, place.message(`/temporal-sys/worker-commands/${OWN}/x`));
    for (const queue of [
      'temporal-sys-per-ns-tq',
      '/_sys/temporal-sys-per-ns-tq/1',
      '/_sys/orders/1',
      `/temporal-sys/worker-commands/${OTHER}/x`,
    ]) {
      assert.throws(() => send(call, place.message(queue)), refusal('reserved_name'), place.name);
    }
  }
  assert.deepEqual([...polls].sort(), ['PollActivityTaskQueue', 'PollWorkflowTaskQueue']);
});

const READS_RESERVED = /^(?:DescribeWorkflowExecution|GetWorkflowExecutionHistory(?:Reverse)?)$/;

test("T-101b an id of the engine's own workflows is refused at every place but the reads of a history", () => {
  for (const { call, place } of everywhere(Role.workflowId)) {
    const message = place.message('temporal-sys-scheduler:daily');
    if (READS_RESERVED.test(call.method.name)) assert.equal(send(call, message).aboutReserved, true);
    else assert.throws(() => send(call, message), refusal('reserved_name'), place.name);
    assert.equal(send(call, place.message('orders')).aboutReserved, false);
  }
});

for (const [what, role, reserved, free] of [
  ['workflow type', Role.workflowType, 'temporal-sys-batch-workflow', 'orders'],
  ['identity', Role.identity, 'temporal-system@host', '1@host'],
  ['search attribute', Role.searchAttribute, 'TemporalNamespaceDivision', 'Customer'],
] as const) {
  test(`T-101b a ${what} of the engine is refused at every place of every request`, () => {
    let count = 0;
    for (const { call, place } of everywhere(role)) {
      count += 1;
      send(call, place.message(free));
      assert.throws(() => send(call, place.message(reserved)), refusal('reserved_name'), place.name);
    }
    assert.ok(count > 5, `${count} places`);
  });
}

test("T-101b a batch whose query can find the engine's own workflows is refused; a list of them is not", () => {
  const query = `TemporalNamespaceDivision = 'TemporalScheduler'`;
  const batch = (visibilityQuery: string): Uint8Array =>
    encode('workflowservice.v1.StartBatchOperationRequest', { visibilityQuery, jobId: 'j' });
  send(permitted('StartBatchOperation'), batch(`WorkflowType = 'orders'`));
  assert.throws(() => send(permitted('StartBatchOperation'), batch(query)), refusal('reserved_name'));
  send(
    permitted('ListWorkflowExecutions'),
    encode('workflowservice.v1.ListWorkflowExecutionsRequest', { query }),
  );
});

test('T-098 a query that ends the engine is refused wherever a query can stand', () => {
  for (const role of [Role.query, Role.batchQuery]) {
    for (const { call, place } of everywhere(role)) {
      assert.throws(() => send(call, place.message('/*!*/')), refusal('query_refused'), place.name);
    }
  }
});

test('a field that is not open to tenants is refused at every place', () => {
  let count = 0;
  for (const { call, place } of everywhere(Role.forbidden)) {
    count += 1;
    assert.throws(() => send(call, place.message('')), refusal('field_refused'), place.name);
  }
  assert.ok(count > 0);
});

test('T-037 a field that only newer clients know is cut at every place, and the rest goes on', () => {
  let count = 0;
  for (const { call, place } of everywhere(Role.newer)) {
    const { request } = call.method;
    // A number cannot stand where this fixture writes bytes, and what is inside a callback is refused with it.
    const message = place.message('a secret that would land in clear');
    if (!isAccepted(call, message)) continue;
    count += 1;
    assert.ok(!send(call, message).frame.includes('a secret'), `${request.name} ${place.name}`);
  }
  assert.ok(count > 20, `${count} places`);
});

function isAccepted(call: PermittedCall, message: Uint8Array): boolean {
  try {
    send(call, message);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

test('T-037 a field that nobody knows is refused in words that say what to do', () => {
  const call = permitted('CountWorkflowExecutions');
  const unknown = Buffer.from([0xa2, 0x7f, 0x01, 0x41]);
  assert.throws(
    () => send(call, unknown),
    (error) =>
      refusal('field_unknown')(error) &&
      /upgrade the gateway/.test(String(error)) &&
      !/A$/.test(String(error)),
  );
});

test('T-037 a value of an enum that nobody knows goes on: it can carry no name', () => {
  const message = Buffer.concat([
    encode('workflowservice.v1.StartWorkflowExecutionRequest', { namespace: OWN }),
    // workflow_id_reuse_policy = 11
    Buffer.from([0x58, 0x63]),
  ]);
  const frame = frameOf(message);
  assert.equal(
    transformRequest(permitted('StartWorkflowExecution'), frame, settings, undefined).frame,
    frame,
  );
});
