import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { refusals } from '#base/model/refusals';
import { REQUEST_BYTES_MAX } from '#base/wire/grpc-message';
import { ENCODED_FAILURE, writeFailureWords } from '#core/sealing/sealed-failure';
import { decode, encode, type RawAnswer, WORKFLOW_SERVICE } from '#testing/grpc-client';
import { boxOf, type PayloadMessage, payloadAround } from '#testing/proto/seal-by-hand';
import { NEIGHBOUR, type SealedSite, startSealedSite, TENANT } from '#testing/sealed-site';
import { bytesOf, failureReply, payloadBytes, plainPayload } from './sealed-replies-fixture.test.ts';

// threats.md T-079: the gateway is no oracle. Whatever was taken from the store and is sent in comes back as it was
// sent, and is opened for nobody.

let site: SealedSite;
const secret = 'what was stored';

before(async () => {
  site = await startSealedSite();
});
after(() => site.close());
beforeEach(() => site.change(TENANT, { sealing: 'on', sealedAttributes: [] }));

type Fields = Record<string, unknown>;

const call = (method: string, fields: Fields = {}): Promise<RawAnswer> =>
  site.open(TENANT).call(WORKFLOW_SERVICE + method, encode(`workflowservice.v1.${method}Request`, fields));

// biome-ignore lint/suspicious/noExplicitAny: messages are dynamic here, and tests name the fields they expect.
type Stored = any;

/** Sends a request and returns it as the engine got it. */
async function store(method: string, fields: Fields): Promise<Stored> {
  site.engine.answer = () => ({});
  const answer = await call(method, fields);
  assert.equal(answer.status, 0, `${method}: ${answer.message}`);
  const seen = site.engine.seen.pop();
  assert.ok(seen);
  return decode(`workflowservice.v1.${method}Request`, seen.body);
}

/** What the caller gets of a reply that the engine makes. */
async function show(method: string, reply: Fields): Promise<Stored> {
  const body = encode(`workflowservice.v1.${method}Response`, reply);
  site.engine.answer = () => ({ body });
  const answer = await call(method);
  assert.equal(answer.status, 0, `${method}: ${answer.message}`);
  return decode(`workflowservice.v1.${method}Response`, answer.body);
}

/** Ciphertexts of every kind, as they lie in the store: of the caller's namespace and of another one. */
function stolen(kind: 'payload' | 'failure' | 'text'): Buffer[] {
  const content = kind === 'text' ? bytesOf(secret) : payloadBytes(plainPayload(secret));
  const words = writeFailureWords({ message: secret, stackTrace: '', attributes: undefined });
  const boxes = [TENANT, NEIGHBOUR].map((id) =>
    boxOf(site.keyring(id), kind, kind === 'failure' ? words : content),
  );
  return [...boxes, Buffer.alloc(0), Buffer.from('garbage')];
}

const stolenPayloads = (): PayloadMessage[] =>
  (['payload', 'failure', 'text'] as const).flatMap(stolen).map(payloadAround);
const same = (actual: PayloadMessage, sent: PayloadMessage): boolean =>
  Buffer.from(payloadBytes(actual)).equals(payloadBytes(sent));

test('T-079 a ciphertext sent in as a payload comes back as it was sent, from inputs, headers and memos', async () => {
  for (const sent of stolenPayloads()) {
    const request = await store('StartWorkflowExecution', {
      input: { payloads: [sent] },
      header: { fields: { trace: sent } },
      ...(sent.data.length === 0 ? {} : { memo: { fields: { note: sent } } }),
    });
    assert.ok(!same(request.input.payloads[0], sent), 'sealed once more');
    const { input, header, memo } = request;
    const task = await show('PollActivityTaskQueue', { input, header });
    assert.ok(same(task.input.payloads[0], sent));
    assert.ok(same(task.header.fields.trace, sent));
    if (memo === undefined) continue;
    const described = await show('DescribeWorkflowExecution', { workflowExecutionInfo: { memo } });
    assert.ok(same(described.workflowExecutionInfo.memo.fields.note, sent));
  }
});

test('T-079 an entry of a memo that deletes, with our marker on it, deletes', async () => {
  const sent = payloadAround(Buffer.alloc(0));
  const { memo } = await store('StartWorkflowExecution', { memo: { fields: { note: sent } } });
  assert.equal(Buffer.from(memo.fields.note.metadata.encoding).toString(), 'binary/null');
  const described = await show('DescribeWorkflowExecution', { workflowExecutionInfo: { memo } });
  assert.equal(described.workflowExecutionInfo.memo.fields.note.data.length, 0);
});

test('T-079 a ciphertext sent in as the attributes of a failure comes back as it was sent, with the words beside it', async () => {
  for (const encodedAttributes of stolenPayloads()) {
    for (const message of ['', ENCODED_FAILURE, 'my own words']) {
      const sent = { message, stackTrace: 'at x', encodedAttributes };
      const { failure } = await store('RespondActivityTaskFailed', { failure: sent });
      site.engine.answer = () => ({ body: failureReply(failure) });
      const answer = await call('GetWorkflowExecutionHistory');
      const reply = decode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', answer.body);
      const back = reply.history.events[0].attributes.value.failure;
      assert.deepEqual([back.message, back.stackTrace], [message, 'at x']);
      assert.ok(same(back.encodedAttributes, encodedAttributes));
    }
  }
});

test('T-079 a sealed text sent in as the error of a query comes back as it was sent', async () => {
  for (const box of stolen('text')) {
    const errorMessage = `failed: gatehouse.sealed.${box.toString('base64url')} twice`;
    const request = await store('RespondQueryTaskCompleted', { errorMessage });
    assert.notEqual(request.errorMessage, errorMessage);
    site.engine.answer = () => ({ status: 3, message: request.errorMessage });
    assert.equal((await call('QueryWorkflow')).message, errorMessage);
  }
});

test('T-079 a sealed text that is sent in as a name, and that an error of the engine repeats, is not opened', async () => {
  for (const box of stolen('text')) {
    const workflowId = `gatehouse.sealed.${box.toString('base64url')}`;
    const message = `workflow not found for ID: ${workflowId}`;
    site.engine.answer = () => ({ status: 5, message });
    const { answer, event } = await site.recorded(() => call('QueryWorkflow', { execution: { workflowId } }));
    assert.deepEqual([answer.status, answer.message], [5, message]);
    assert.equal(event.severity, 'low', 'nobody can raise an alarm with it');
  }
});

test('T-079 the text of a sealed search attribute sent in comes back as it was sent, or is refused where it would be opened', async () => {
  const texts = [TENANT, NEIGHBOUR].map((id) => site.keyring(id).sealAttribute('Customer', secret) ?? '');
  site.change(TENANT, { sealedAttributes: ['Customer'] });
  for (const text of texts) {
    const searchAttributes = { indexedFields: { Customer: plainPayload(text) } };
    const request = await store('StartWorkflowExecution', { searchAttributes });
    const stored = Buffer.from(request.searchAttributes.indexedFields.Customer.data).toString();
    assert.match(stored, /^"gh1\./);
    assert.ok(!stored.includes(text));
    const { workflowExecutionInfo } = await show('DescribeWorkflowExecution', {
      workflowExecutionInfo: { searchAttributes: request.searchAttributes },
    });
    assert.ok(same(workflowExecutionInfo.searchAttributes.indexedFields.Customer, plainPayload(text)));
    const open = { searchAttributes: { indexedFields: { Other: plainPayload(text) } } };
    assert.equal((await call('StartWorkflowExecution', open)).message, refusedAttribute('Other'));
  }
  // In other spellings of the same JSON, and in a list.
  for (const json of [`"\\u0067h1.x"`, `["a", "gh1.x"]`, ` "gh\\u0031.x" `, `["\\u0067h1.x"]`]) {
    const value = { ...plainPayload(''), data: bytesOf(json) };
    const fields = { searchAttributes: { indexedFields: { Other: value } } };
    assert.equal((await call('StartWorkflowExecution', fields)).message, refusedAttribute('Other'), json);
  }
});

test('T-079 a name of the caller that the engine puts into an attribute of its own is never opened, nor an alarm', async () => {
  const scheduleId = site.keyring(TENANT).sealAttribute('Customer', secret) ?? '';
  for (const name of ['TemporalScheduledById', 'TemporalWorkerDeployment', 'BatcherUser']) {
    const indexedFields = { [name]: plainPayload(scheduleId) };
    const reply = await show('DescribeWorkflowExecution', {
      workflowExecutionInfo: { searchAttributes: { indexedFields } },
    });
    const { searchAttributes } = reply.workflowExecutionInfo;
    assert.ok(same(searchAttributes.indexedFields[name], plainPayload(scheduleId)), name);
  }
  // A Worker that continues as new hands it on.
  const searchAttributes = { indexedFields: { TemporalScheduledById: plainPayload(scheduleId) } };
  const request = await store('StartWorkflowExecution', { searchAttributes });
  const stored = request.searchAttributes.indexedFields.TemporalScheduledById;
  assert.ok(same(stored, plainPayload(scheduleId)));
});

const refusedAttribute = (name: string): string =>
  `${refusals.attribute_refused.text}: ${name}: a value must not begin with gh1.`;

/** Requests that hold this payload in one place each, inside Any and inside one of several operations too. */
const holders: readonly (readonly [string, (it: PayloadMessage) => Fields])[] = [
  ['StartWorkflowExecution', (it) => ({ input: { payloads: [it] } })],
  ['StartWorkflowExecution', (it) => ({ header: { fields: { trace: it } } })],
  ['StartWorkflowExecution', (it) => ({ memo: { fields: { note: it } } })],
  ['StartWorkflowExecution', (it) => ({ userMetadata: { summary: it } })],
  ['RespondActivityTaskFailed', (it) => ({ failure: { message: 'm', encodedAttributes: it } })],
  ['RespondActivityTaskFailed', (it) => ({ failure: { cause: { encodedAttributes: it } } })],
  [
    'ExecuteMultiOperation',
    (it) => {
      const value = { input: { payloads: [it] } };
      return { operations: [{ operation: { case: 'startWorkflow', value } }] };
    },
  ],
  [
    'ExecuteMultiOperation',
    (it) => {
      const value = { request: { input: { args: { payloads: [it] } } } };
      return { operations: [{ operation: { case: 'updateWorkflow', value } }] };
    },
  ],
  [
    'RespondWorkflowTaskCompleted',
    (it) => {
      const value = encode('update.v1.Response', {
        outcome: { value: { case: 'success', value: { payloads: [it] } } },
      });
      const typeUrl = 'type.googleapis.com/temporal.api.update.v1.Response';
      return { messages: [{ body: { typeUrl, value } }] };
    },
  ],
  [
    'CreateSchedule',
    (it) => {
      const value = { input: { payloads: [it] } };
      return { schedule: { action: { action: { case: 'startWorkflow', value } } } };
    },
  ],
];

test('T-079 with sealing off and no keys a ciphertext is refused before the engine sees it, wherever it stands', async () => {
  site.change(TENANT, { sealing: 'off' }, 'without-keys');
  const [sent] = stolenPayloads();
  assert.ok(sent);
  // The marker counts as a decoder sees it: in any order, and where it is set twice.
  const second = payloadBytes({ ...sent, data: new Uint8Array(0) });
  for (const [method, holder] of holders) {
    const before = site.engine.seen.length;
    const { answer, event } = await site.recorded(() => call(method, holder(sent)));
    assert.deepEqual([answer.status, answer.message], [3, refusals.payload_reserved.text], method);
    assert.deepEqual([event.outcome, event.reason], ['refused', 'payload_reserved'], method);
    assert.equal(site.engine.seen.length, before, method);
    assert.ok(second.length > 0);
    // Anything else passes as it is.
    site.engine.answer = () => ({});
    assert.equal((await call(method, holder(plainPayload('x')))).status, 0, method);
  }
  for (const errorMessage of ['gatehouse.sealed.AQ', `x ${'gatehouse.sealed.'}`]) {
    const answer = await call('RespondQueryTaskCompleted', { errorMessage });
    assert.equal(answer.message, refusals.payload_reserved.text);
  }
});

test('T-079 with sealing off and keys from before a ciphertext sent in is sealed once more, so it is opened for nobody', async () => {
  site.change(TENANT, { sealing: 'off' });
  for (const sent of stolenPayloads()) {
    const { input } = await store('StartWorkflowExecution', { input: { payloads: [sent] } });
    assert.ok(!same(input.payloads[0], sent));
    const task = await show('PollActivityTaskQueue', { input });
    assert.ok(same(task.input.payloads[0], sent));
  }
  const { input } = await store('StartWorkflowExecution', { input: { payloads: [plainPayload('x')] } });
  assert.ok(same(input.payloads[0], plainPayload('x')), 'all else stays as it is');
});

test('a request that fits 4 MiB without its seals and not with them is refused as too large, and the engine does not see it', async () => {
  const inputOf = (count: number, size: number): Fields => ({
    input: { payloads: Array.from({ length: count }, () => plainPayload('x'.repeat(size))) },
  });
  const bytes = (fields: Fields): number =>
    encode('workflowservice.v1.StartWorkflowExecutionRequest', fields).length;
  const tooLarge = inputOf(4000, 1000);
  assert.ok(bytes(tooLarge) < REQUEST_BYTES_MAX);
  const before = site.engine.seen.length;
  const { answer, event } = await site.recorded(() => call('StartWorkflowExecution', tooLarge));
  assert.deepEqual([answer.status, event.reason], [8, 'message_too_large']);
  assert.equal(site.engine.seen.length, before);
  // One large payload has one seal: nearly all of the limit is left.
  site.engine.answer = () => ({});
  const fits = inputOf(1, REQUEST_BYTES_MAX - 1024);
  assert.equal((await call('StartWorkflowExecution', fits)).status, 0);
});

test('a sealed search attribute says nothing beside its value: metadata that the engine does not read is refused', async () => {
  site.change(TENANT, { sealedAttributes: ['Customer'] });
  const payload = plainPayload('acme');
  const withNote = { ...payload, metadata: { ...payload.metadata, note: bytesOf(secret) } };
  const fields = { searchAttributes: { indexedFields: { Customer: withNote } } };
  const answer = await call('StartWorkflowExecution', fields);
  assert.deepEqual([answer.status, answer.message.startsWith(refusals.attribute_refused.text)], [3, true]);
});
