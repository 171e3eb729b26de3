import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { createCanaries, findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import { expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';
import { decode, encode, type RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { type CanaryTenant, jsonPayload, openCanaryTenant } from './canary-tenant.ts';
import { commands, type Reply, until } from './raw-tenant.ts';
import { addSearchAttributes, attributes, KEYWORD, untilAttributesWork } from './search-attributes.ts';
import { openStoredRows, type StoredRows } from './stored-rows.ts';

// threats.md T-077 and T-079, in the real store: somebody writes to the engine's database while it runs. Every kind
// of damage at every kind of place is in `sealed-replies.test.ts`; here the engine itself hands over what was changed.

const ID = 'default.local';
const OTHER = 'other.local';
const DATA_LOSS = 15;

let site: AttackSite;
let tenant: CanaryTenant;
let other: CanaryTenant;
let rows: StoredRows;
const canaries = createCanaries();

before(async () => {
  site = await startAttackSite(['other'], { encryption: { sealing: 'on', sealedAttributes: ['Customer'] } });
  tenant = openCanaryTenant(site, ID, canaries);
  other = openCanaryTenant(site, OTHER, canaries);
  rows = openStoredRows(site.house);
  for (const id of [ID, OTHER]) await addSearchAttributes(site.house, id, { Customer: KEYWORD });
  for (const each of [tenant, other]) await untilAttributesWork(each, { Customer: 'x' });
  await other.start('untouched', { input: other.input('untouched') });
});
after(async () => {
  rows.close();
  await site.close();
});

/** Everything is as long as that of any other workflow, so that boxes can be exchanged byte by byte. */
async function start(who: CanaryTenant, workflowId: string): Promise<void> {
  const word = (place: string): string => canaries.make(place).padEnd(40, '.');
  await who.start(workflowId, {
    taskQueue: { name: workflowId },
    input: { payloads: [jsonPayload(word('input'))] },
    memo: { fields: { note: jsonPayload(word('memo')) } },
    searchAttributes: attributes({ Customer: word('attribute') }),
  });
  await until(`${workflowId} is listed`, async () => {
    const { executions } = await who.ask('ListWorkflowExecutions', { query: `WorkflowId = '${workflowId}'` });
    return executions.length === 1;
  });
}

const history = (workflowId: string): Promise<RawAnswer> =>
  tenant.call('GetWorkflowExecutionHistory', { execution: { workflowId } });
const list = (workflowId: string): Promise<RawAnswer> =>
  tenant.call('ListWorkflowExecutions', { query: `WorkflowId = '${workflowId}'` });

/** DATA_LOSS without a byte of content, one record of high severity; and everybody else goes on. */
async function assertUnreadable(answer: RawAnswer): Promise<void> {
  const { text } = refusals.payload_unreadable;
  assert.deepEqual([answer.status, answer.message], [DATA_LOSS, text], answer.failure);
  assert.equal(answer.body.length, 0);
  assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(answer.headers))), []);
  const requestId = String(answer.headers['gatehouse-request-id']);
  const record = await expectOneRecord(
    site.house,
    { requestId },
    {
      kind: 'call',
      outcome: 'refused',
      status: DATA_LOSS,
      reason: 'payload_unreadable',
      severity: 'high',
      namespace: ID,
    },
  );
  assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(record))), []);
  await other.ask('GetWorkflowExecutionHistory', { execution: { workflowId: 'untouched' } });
  await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId: 'attributes-work' } });
}

/** What has no seal, as a decoded message may hold it. */
const planted = (value: unknown = canaries.make('planted')): Reply =>
  decode('common.v1.Payload', encode('common.v1.Payload', { ...jsonPayload(value) }));
const sealedAs = (data: Uint8Array): Reply => {
  const metadata = { encoding: new Uint8Array(Buffer.from('binary/gatehouse')) };
  return decode('common.v1.Payload', encode('common.v1.Payload', { metadata, data }));
};
const bytesOf = (payload: Reply): Uint8Array => encode('common.v1.Payload', payload);
const inputOf = (started: Reply): { data: Uint8Array } => started.input.payloads[0];

/** What may happen to a box, as edits of the decoded start of a workflow. */
const damages: Readonly<Record<string, (started: Reply) => void>> = {
  'a bit of an input': (started) => {
    const { data } = inputOf(started);
    data[60] = (data[60] ?? 0) ^ 1;
  },
  'an input cut short': (started) => {
    const payload = inputOf(started);
    payload.data = payload.data.slice(0, -1);
  },
  'an input cut to nothing': (started) => {
    inputOf(started).data = new Uint8Array(0);
  },
  'a lower version of a box': (started) => {
    inputOf(started).data[0] = 0;
  },
  'a bit of a memo': (started) => {
    const { data } = started.memo.fields.note;
    data[data.length - 1] = (data.at(-1) ?? 0) ^ 0x80;
  },
  'plaintext in place of an input': (started) => {
    started.input.payloads[0] = planted();
  },
  'plaintext in place of a memo': (started) => {
    started.memo.fields.note = planted();
  },
  'plaintext added to an input': (started) => {
    started.input.payloads.push(planted());
  },
  'an empty list in place of an input': (started) => {
    started.input.payloads[0] = planted([]);
  },
};

for (const [index, [what, damage]] of Object.entries(damages).entries()) {
  test(`T-077, T-079b ${what} in the store: the history cannot be read, and nothing else is held up`, async () => {
    const workflowId = `damaged-${index}`;
    await start(tenant, workflowId);
    assert.equal((await history(workflowId)).status, 0);
    rows.editStart(workflowId, damage);
    await assertUnreadable(await history(workflowId));
    await assertUnreadable(
      await tenant.call('GetWorkflowExecutionHistoryReverse', { execution: { workflowId } }),
    );
  });
}

test('T-079a sealed boxes exchanged between two namespaces, byte by byte, open in neither', async () => {
  await start(tenant, 'exchange-1');
  await start(other, 'exchange-2');
  const boxes: Record<string, Buffer> = {};
  for (const id of ['exchange-1', 'exchange-2']) {
    rows.editStart(id, (started) => {
      boxes[id] = Buffer.from(inputOf(started).data);
    });
  }
  const { 'exchange-1': first = Buffer.alloc(0), 'exchange-2': second = Buffer.alloc(0) } = boxes;
  assert.equal(first.length, second.length);
  const exchange = (id: string, old: Buffer, put: Buffer): void =>
    rows.editStartBytes(id, (bytes) => {
      const at = bytes.indexOf(old);
      assert.ok(at > 0);
      put.copy(bytes, at);
      return bytes;
    });
  exchange('exchange-1', first, second);
  exchange('exchange-2', second, first);
  await assertUnreadable(await history('exchange-1'));
  const theirs = await other.call('GetWorkflowExecutionHistory', { execution: { workflowId: 'exchange-2' } });
  assert.deepEqual([theirs.status, theirs.body.length], [DATA_LOSS, 0]);
  // Put back, both read as before.
  exchange('exchange-1', second, first);
  exchange('exchange-2', first, second);
  assert.equal((await history('exchange-1')).status, 0);
});

test('T-079a a box moved to another workflow of its own namespace opens there, as is written down', async () => {
  await start(tenant, 'moved-from');
  await start(tenant, 'moved-to');
  let box = new Uint8Array(0);
  rows.editStart('moved-from', (started) => {
    box = Uint8Array.from(inputOf(started).data);
  });
  rows.editStart('moved-to', (started) => {
    inputOf(started).data = box;
  });
  assert.equal((await history('moved-to')).status, 0);
});

test('T-077 T-079b what lists show: a memo that was changed, exchanged or laid open, and a sealed search attribute', async () => {
  await start(tenant, 'listed');
  await start(other, 'theirs');
  const restored = async (): Promise<void> => assert.equal((await list('listed')).status, 0);
  let before = new Uint8Array(0);
  rows.editListedMemo('listed', ({ fields }) => {
    before = Uint8Array.from(fields.note.data);
    fields.note.data[50] ^= 4;
  });
  await assertUnreadable(await list('listed'));
  rows.editListedMemo('listed', ({ fields }) => {
    fields.note = planted();
  });
  await assertUnreadable(await list('listed'));
  let theirMemo = new Uint8Array(0);
  rows.editListedMemo('theirs', ({ fields }) => {
    theirMemo = Uint8Array.from(fields.note.data);
  });
  rows.editListedMemo('listed', ({ fields }) => {
    fields.note = sealedAs(theirMemo);
  });
  await assertUnreadable(await list('listed'));
  rows.editListedMemo('listed', ({ fields }) => {
    fields.note = sealedAs(before);
  });
  await restored();

  const texts = { own: '', theirs: '' };
  const textIn = (json: string): string => /gh1\.[\w-]+/.exec(json)?.[0] ?? '';
  rows.editListedAttributes('theirs', (json) => {
    texts.theirs = textIn(json);
    return json;
  });
  rows.editListedAttributes('listed', (json) => {
    texts.own = textIn(json);
    return json.replace(texts.own, texts.theirs);
  });
  assert.notEqual(texts.own, '');
  await assertUnreadable(await list('listed'));
  rows.editListedAttributes('listed', (json) => {
    const flipped = texts.own.slice(0, 40) + (texts.own[40] === 'A' ? 'B' : 'A') + texts.own.slice(41);
    return json.replace(texts.theirs, flipped);
  });
  await assertUnreadable(await list('listed'));
  rows.editListedAttributes('listed', (json) => json.replace(textIn(json), texts.own));
  await restored();
});

test('T-077 a Worker is not given a task whose history was damaged, and gets those of other workflows', async () => {
  await start(tenant, 'poisoned');
  rows.editStart('poisoned', (started) => {
    inputOf(started).data[70] = (inputOf(started).data[70] ?? 0) ^ 1;
  });
  const poll = (): Promise<RawAnswer> =>
    tenant.call('PollWorkflowTaskQueue', { taskQueue: { name: 'poisoned' }, identity: 'raw' });
  await assertUnreadable(await poll());
  await tenant.start('sound', { taskQueue: { name: 'poisoned' }, input: tenant.input('sound') });
  const task = await tenant.takeTask('poisoned');
  assert.equal(task.workflowExecution.workflowId, 'sound');
  assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
});

test('T-077 over the HTTPS API the answer says the same, and no more', async () => {
  await start(tenant, 'over-https');
  rows.editStart('over-https', (started) => {
    started.input.payloads[0] = planted();
  });
  const answer = await requestRaw(site.house, {
    namespaceId: ID,
    credential: homeCredential(site.house.endpoint, ID),
    target: `/api/v1/namespaces/${ID}/workflows/over-https/history`,
  });
  assert.equal(answer.status, refusals.payload_unreadable.http);
  assert.ok(answer.body.includes(refusals.payload_unreadable.text));
  assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(answer))), []);
});

test('T-079 a ciphertext taken from the store and sent in, over gRPC and over HTTPS, comes back as it was sent', async () => {
  await start(tenant, 'source');
  await start(other, 'their-source');
  const boxes: Uint8Array[] = [];
  for (const id of ['source', 'their-source'])
    rows.editStart(id, (started) => boxes.push(Uint8Array.from(inputOf(started).data)));
  const inputsOf = async (workflowId: string): Promise<Reply> => {
    const reply = await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId } });
    return reply.history.events[0].attributes.value.input.payloads;
  };
  for (const [index, box] of boxes.entries()) {
    const sent = sealedAs(box);
    await tenant.start(`sent-in-${index}`, { input: { payloads: [sent] }, memo: { fields: { note: sent } } });
    assert.deepEqual((await inputsOf(`sent-in-${index}`)).map(bytesOf), [bytesOf(sent)]);
    const described = await tenant.ask('DescribeWorkflowExecution', {
      execution: { workflowId: `sent-in-${index}` },
    });
    assert.deepEqual(bytesOf(described.workflowExecutionInfo.memo.fields.note), bytesOf(sent));
    assert.equal((await postStart(`by-https-${index}`, box)).status, 200);
    assert.deepEqual((await inputsOf(`by-https-${index}`)).map(bytesOf), [bytesOf(sent)]);
  }
});

/** Starts a workflow over the HTTPS API with this box as its input. */
function postStart(workflowId: string, box: Uint8Array): ReturnType<typeof requestRaw> {
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
  const payload = { metadata: { encoding: base64('binary/gatehouse') }, data: base64(box) };
  return requestRaw(site.house, {
    namespaceId: ID,
    credential: homeCredential(site.house.endpoint, ID),
    method: 'POST',
    target: `/api/v1/namespaces/${ID}/workflows/${workflowId}`,
    headers: ['content-type: application/json'],
    body: JSON.stringify({
      workflowType: { name: 'orders' },
      taskQueue: { name: 'orders' },
      requestId: workflowId,
      input: [payload],
    }),
  });
}

test('T-079b in its migration window a namespace reads what has no seal, and still nothing whose seal is broken', async () => {
  const { write } = site.house.up.platform.directory;
  await start(tenant, 'before-sealing');
  const word = canaries.make('from before');
  rows.editStart('before-sealing', (started) => {
    started.input.payloads[0] = planted(word);
  });
  await assertUnreadable(await history('before-sealing'));
  await write.setEncryption(ID, { sealing: 'migrate' });
  const answer = await history('before-sealing');
  assert.equal(answer.status, 0);
  assert.ok(Buffer.from(answer.body).includes(word));
  await assertUnreadable(await history('damaged-0'));
  await write.setEncryption(ID, { sealing: 'on' });
  await assertUnreadable(await history('before-sealing'));
});
