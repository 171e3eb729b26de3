import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { encode, type RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { command, jsonPayload } from './canary-tenant.ts';
import { commands, openTenant, type RawTenant } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';

// Seals make payloads longer. What may be sent is what may be sent without them, and what the engine tells of it stays
// true; where the API's own limit is reached, the gateway says so before the engine has to.

const SEALED = 'default.local';
const OPEN = 'open.local';
const RESOURCE_EXHAUSTED = 8;
const MIB = 1024 * 1024;

let site: AttackSite;
let tenants: readonly RawTenant[];

before(async () => {
  site = await startAttackSite(['open']);
  await site.house.up.platform.directory.write.setEncryption(OPEN, { sealing: 'off' });
  tenants = [SEALED, OPEN].map((id) => openTenant(site, id));
});
after(() => site.close());

type Fields = Record<string, unknown>;

const input = (text: string): Fields => ({ payloads: [jsonPayload(text)] });
const assertDone = ({ status, message }: RawAnswer): void => assert.equal(status, 0, message);

/** Payloads whose encoded size is exactly this. */
function sized(bytes: number): Fields {
  const sizeOf = (length: number): number => encode('common.v1.Payloads', input('x'.repeat(length))).length;
  let length = bytes - 64;
  length += bytes - sizeOf(length);
  assert.equal(sizeOf(length), bytes);
  return input('x'.repeat(length));
}

test('the limits that DescribeNamespace tells are true: what is as large goes in and comes back, sealed or not', async () => {
  for (const tenant of tenants) {
    const { namespaceInfo } = await tenant.ask('DescribeNamespace', { namespace: tenant.id });
    const { blobSizeLimitError, memoSizeLimitError } = namespaceInfo.limits;
    assert.ok(Number(blobSizeLimitError) >= 2 * MIB, 'what the engine allows by default is allowed here');
    assert.ok(Number(memoSizeLimitError) >= 2 * MIB);
    const largest = sized(Number(blobSizeLimitError));
    await tenant.start('large', { taskQueue: { name: 'large' }, input: largest });
    const task = await tenant.takeTask('large');
    assert.deepEqual(
      task.history.events[0].attributes.value.input.payloads[0].data.length,
      dataLength(largest),
    );
    const activity = {
      activityId: 'pay',
      activityType: { name: 'pay' },
      taskQueue: { name: 'large' },
      input: largest,
      startToCloseTimeout: { seconds: 60n },
    };
    assertDone(await tenant.complete(task, [commands.scheduleActivity(activity)]));
    const attempt = await tenant.takeActivity('large');
    assert.equal(attempt.input.payloads[0].data.length, dataLength(largest));
    const { taskToken } = attempt;
    await tenant.ask('RespondActivityTaskCompleted', { taskToken, result: largest });
    const last = await tenant.takeTask('large');
    assertDone(await tenant.complete(last, [command(4, 'completeWorkflowExecution', { result: largest })]));

    const note = sized(Number(memoSizeLimitError) - 64)['payloads'] as readonly Fields[];
    await tenant.start('large-memo', { memo: { fields: { note: note[0] } } });
    const described = await tenant.ask('DescribeWorkflowExecution', {
      execution: { workflowId: 'large-memo' },
    });
    assert.ok(described.workflowExecutionInfo.memo.fields.note.data.length > 2 * MIB - 256);
    await tenant.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId: 'large-memo' } });
  }
});

function dataLength(payloads: Fields): number {
  const [first] = payloads['payloads'] as readonly { readonly data: Uint8Array }[];
  return first?.data.length ?? 0;
}

test('what is larger than the limits is refused by the engine in its own words, sealed or not', async () => {
  for (const tenant of tenants) {
    const answer = await tenant.call('StartWorkflowExecution', {
      workflowId: 'too-large',
      workflowType: { name: 'orders' },
      taskQueue: { name: 'orders' },
      requestId: 'too-large',
      input: sized(2 * MIB + 64 * 1024 + 1024),
    });
    assert.equal(answer.status, 3);
    assert.match(answer.message, /size exceeds limit/);
  }
});

test('a request that would exceed 4 MiB with its seals is refused before the engine sees it', async () => {
  const [sealed, open] = tenants;
  assert.ok(sealed && open);
  // Each seal is some 100 bytes, around a kilobyte.
  const payloads = Array.from({ length: 3900 }, () => jsonPayload('x'.repeat(1024)));
  const request = { query: { queryType: 'q', queryArgs: { payloads } }, execution: { workflowId: 'none' } };
  assert.ok(encode('workflowservice.v1.QueryWorkflowRequest', request).length < 4 * MIB);
  await site.engine.settle();
  await site.engine.sawNothing(async () => {
    const answer = await sealed.call('QueryWorkflow', request);
    assert.equal(answer.status, RESOURCE_EXHAUSTED);
    assert.equal(answer.message, 'grpc: received message larger than max');
  });
  assert.notEqual((await open.call('QueryWorkflow', request)).status, RESOURCE_EXHAUSTED);
});

test('nothing else was refused by the gateway', async () => {
  const refused = await refusedCalls(site.house);
  assert.deepEqual(
    refused.map(({ reason }) => reason),
    ['message_too_large'],
  );
});
