import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { NexusEndpoint } from '../../packages/gatehouse/src/core/engine/register-nexus-endpoint.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';
import { encode, type RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { askEngine, storedResult } from './nexus/engine-side.ts';
import { bytes, json } from './nexus/operation-answers.ts';
import { historyOf, jsonOf, takeNexusTask } from './nexus/operation-pair.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';

const CALLER = 'default.local';
const HANDLER = 'beta.local';
const BYSTANDER = 'gamma.local';
const UNSEALED = 'delta.local';
const PERMISSION_DENIED = 7;
const DATA_LOSS = 15;
const COMPLETE_WORKFLOW = 4;

const endpointOf = (name: string, namespace: string): NexusEndpoint => ({
  name,
  namespace,
  taskQueue: 'raw',
});

/** Who can write the engine's store, or speak with it past the gateway, moves what others sealed. */
describe('ciphertexts and plaintexts put where Nexus is', { concurrency: false }, () => {
  let site: AttackSite;
  let tenants: Readonly<Record<string, RawTenant>>;
  let number = 0;
  let workflowId = '';

  before(async () => {
    site = await startAttackSite(['beta', 'gamma', 'delta'], {
      nexusEnabled: true,
      nexusEndpoints: [endpointOf('to-handler', HANDLER), endpointOf('to-unsealed', UNSEALED)],
    });
    const { write } = site.house.up.platform.directory;
    await write.setNexusEndpoints(CALLER, ['to-handler']);
    await write.setNexusEndpoints(BYSTANDER, ['to-unsealed']);
    await write.setEncryption(UNSEALED, { sealing: 'off' });
    const ids = [CALLER, HANDLER, BYSTANDER, UNSEALED];
    tenants = Object.fromEntries(ids.map((id) => [id, openTenant(site, id)]));
  });
  after(() => site?.close());
  beforeEach(() => {
    number += 1;
    workflowId = `moved-${number}`;
  });

  const tenantOf = (id: string): RawTenant => {
    const tenant = tenants[id];
    assert.ok(tenant);
    return tenant;
  };

  /** Lets a workflow complete with this result, and reads what the engine holds of it. */
  async function sealedBy(id: string, text: string): Promise<Reply> {
    const name = `${workflowId}-${id}`;
    const tenant = tenantOf(id);
    await tenant.start(name, { taskQueue: { name } });
    const value = { result: { payloads: [json(text)] } };
    const attributes = { case: 'completeWorkflowExecutionCommandAttributes', value };
    await tenant.complete(await tenant.takeTask(name), [{ commandType: COMPLETE_WORKFLOW, attributes }]);
    return await storedResult(site.house, id, name);
  }

  async function callHandler(caller: string, endpoint: string, input?: Reply): Promise<void> {
    const tenant = tenantOf(caller);
    await tenant.start(workflowId, { taskQueue: { name: workflowId } });
    const schedule = commands.scheduleNexus({ endpoint, service: 's', operation: 'o', input });
    const answer = await tenant.complete(await tenant.takeTask(workflowId), [schedule]);
    assert.equal(answer.status, 0, answer.message);
  }

  /** An operation whose result was put there past the gateway. */
  async function putResult(payload: Reply): Promise<void> {
    await callHandler(CALLER, 'to-handler');
    const poll = { taskQueue: { name: 'raw' }, identity: 'engine' };
    const { taskToken } = await askEngine(site.house, HANDLER, 'PollNexusTaskQueue', poll);
    const variant = { case: 'syncSuccess', value: { payload } };
    const response = { variant: { case: 'startOperation', value: { variant } } };
    await askEngine(site.house, HANDLER, 'RespondNexusTaskCompleted', { taskToken, response });
    await until('the engine holds the result', async () => {
      const { history } = await askEngine(site.house, CALLER, 'GetWorkflowExecutionHistory', {
        execution: { workflowId },
      });
      return history.events.some(isCompleted);
    });
  }

  const isCompleted = ({ attributes }: Reply): boolean =>
    attributes.case === 'nexusOperationCompletedEventAttributes';
  const read = (id: string): Promise<RawAnswer> =>
    tenantOf(id).call('GetWorkflowExecutionHistory', { execution: { workflowId } });
  const resultIn = (events: readonly Reply[]): string | undefined => {
    const completed = events.find(isCompleted);
    return completed && Buffer.from(completed.attributes.value.result.data).toString();
  };

  async function assertUnreadable(namespace: string, answer: RawAnswer): Promise<void> {
    assert.equal(answer.status, DATA_LOSS, answer.message);
    assert.equal(answer.body.length, 0);
    const requestId = String(answer.headers['gatehouse-request-id'] ?? '');
    const record = { reason: 'payload_unreadable', severity: 'high', namespace };
    await expectOneRecord(site.house, { requestId }, record);
  }

  test('T-079a what a namespace sealed that Nexus does not connect does not open in an operation', async () => {
    await putResult(await sealedBy(BYSTANDER, 'not for the caller'));
    await assertUnreadable(CALLER, await read(CALLER));
  });

  test('T-079a what the other side of an operation sealed does not open outside of one', async () => {
    const payload = await sealedBy(HANDLER, 'not for a signal');
    await tenantOf(CALLER).start(workflowId);
    const signal = { workflowExecution: { workflowId }, signalName: 's', input: { payloads: [payload] } };
    await askEngine(site.house, CALLER, 'SignalWorkflowExecution', signal);
    await assertUnreadable(CALLER, await read(CALLER));
  });

  test('T-079a the input of an operation opens only where Nexus connects the two', async () => {
    const payload = await sealedBy(BYSTANDER, 'not for the handler');
    await tenantOf(CALLER).start(workflowId, { taskQueue: { name: workflowId } });
    const queue = { taskQueue: { name: workflowId }, identity: 'engine' };
    const { taskToken } = await askEngine(site.house, CALLER, 'PollWorkflowTaskQueue', queue);
    const schedule = commands.scheduleNexus({
      endpoint: 'to-handler',
      service: 's',
      operation: 'o',
      input: payload,
    });
    await askEngine(site.house, CALLER, 'RespondWorkflowTaskCompleted', { taskToken, commands: [schedule] });
    const poll = { taskQueue: { name: 'raw' }, identity: 'raw' };
    const answer = await tenantOf(HANDLER).call('PollNexusTaskQueue', poll, { timeoutMs: 10_000 });
    await assertUnreadable(HANDLER, answer);
    await tenantOf(CALLER).ask('TerminateWorkflowExecution', { workflowExecution: { workflowId } });
  });

  test('T-079b a result without a seal is refused where the other side seals', async () => {
    await putResult(json('planted'));
    await assertUnreadable(CALLER, await read(CALLER));
  });

  test('a namespace that seals reads the plaintext of one that does not, in its operations alone', async () => {
    await callHandler(BYSTANDER, 'to-unsealed', json('asked'));
    const task = await takeNexusTask(tenantOf(UNSEALED));
    const { payload } = task.request.variant.value;
    assert.equal(Buffer.from(payload.data).toString(), '"asked"');
    const variant = { case: 'syncSuccess', value: { payload: json('answered') } };
    const response = { variant: { case: 'startOperation', value: { variant } } };
    await tenantOf(UNSEALED).ask('RespondNexusTaskCompleted', { taskToken: task.taskToken, response });
    const result = await until('the result is there', async () =>
      resultIn(await historyOf(tenantOf(BYSTANDER), workflowId)),
    );
    assert.equal(result, '"answered"');

    await tenantOf(BYSTANDER).start(`${workflowId}-signal`);
    await askEngine(site.house, BYSTANDER, 'SignalWorkflowExecution', {
      workflowExecution: { workflowId: `${workflowId}-signal` },
      signalName: 's',
      input: { payloads: [json('planted')] },
    });
    const execution = { workflowId: `${workflowId}-signal` };
    await assertUnreadable(
      BYSTANDER,
      await tenantOf(BYSTANDER).call('GetWorkflowExecutionHistory', { execution }),
    );
  });

  test('T-079a a namespace that does not seal cannot have a ciphertext opened by the other side of its operation', async () => {
    const secret = await sealedBy(BYSTANDER, 'a secret of the caller');
    const typed = { type: 'temporal.api.failure.v1.Failure' };
    const asFailure = { encodedAttributes: jsonOf('common.v1.Payload', secret) };
    const whole = encode('common.v1.Payload', { metadata: secret.metadata, data: secret.data });
    const metadata = {
      encoding: bytes('unknown/nexus-content'),
      Type: bytes('Application/X-Temporal-Payload'),
    };
    const attempts = [
      { case: 'syncSuccess', value: { payload: { metadata, data: whole } } },
      {
        case: 'operationError',
        value: {
          operationState: 'failed',
          failure: { message: 'm', metadata: typed, details: bytes(JSON.stringify(asFailure)) },
        },
      },
    ];
    for (const variant of attempts) {
      workflowId += 'x';
      await callHandler(BYSTANDER, 'to-unsealed');
      const { taskToken } = await takeNexusTask(tenantOf(UNSEALED));
      const response = { variant: { case: 'startOperation', value: { variant } } };
      await tenantOf(UNSEALED).ask('RespondNexusTaskCompleted', { taskToken, response });
      const ended = await until('the operation has ended', async () => {
        const events = await historyOf(tenantOf(BYSTANDER), workflowId);
        return events.find(({ attributes }) => /^nexusOperation(?:Comp|Fail)/.test(attributes.case));
      });
      const { result, failure } = ended.attributes.value;
      // One layer is opened, and what is below it is the ciphertext that was sent.
      const { data } = result ?? failure.cause.encodedAttributes;
      assert.ok(Buffer.from(data).includes(Buffer.from(secret.data)));
    }
  });

  test('a caller from whom an endpoint is taken goes on reading what it was answered, and calls no more', async () => {
    const { platform } = site.house.up;
    const listed = platform.directory.snapshot().namespaces.get(CALLER);
    assert.ok(listed);
    const list = (...nexusEndpoints: readonly string[]) =>
      platform.applyNamespaces([{ id: CALLER, caPem: listed.caBundlePem, nexusEndpoints }]);
    await callHandler(CALLER, 'to-handler', json('asked'));
    const { taskToken, request } = await takeNexusTask(tenantOf(HANDLER));
    await list();
    const variant = { case: 'syncSuccess', value: { payload: request.variant.value.payload } };
    const response = { variant: { case: 'startOperation', value: { variant } } };
    await tenantOf(HANDLER).ask('RespondNexusTaskCompleted', { taskToken, response });
    const result = await until('the result is there', async () =>
      resultIn(await historyOf(tenantOf(CALLER), workflowId)),
    );
    assert.equal(result, '"asked"');
    // The workflow goes on, and may not call again.
    const task = await tenantOf(CALLER).takeTask(workflowId);
    const schedule = commands.scheduleNexus({ endpoint: 'to-handler', service: 's', operation: 'o' });
    assert.equal((await tenantOf(CALLER).complete(task, [schedule])).status, PERMISSION_DENIED);
    assert.equal((await tenantOf(CALLER).complete(task, [commands.completeWorkflow()])).status, 0);
    await list('to-handler');
  });

  test('T-081 what an erased namespace answered is lost to its callers, who go on with all else', async () => {
    await callHandler(CALLER, 'to-handler');
    const { taskToken } = await takeNexusTask(tenantOf(HANDLER));
    const variant = { case: 'syncSuccess', value: { payload: json('answered') } };
    const response = { variant: { case: 'startOperation', value: { variant } } };
    await tenantOf(HANDLER).ask('RespondNexusTaskCompleted', { taskToken, response });
    const result = await until('the result is there', async () =>
      resultIn(await historyOf(tenantOf(CALLER), workflowId)),
    );
    assert.equal(result, '"answered"');
    const { directory } = site.house.up.platform;
    assert.ok((await directory.write.destroyNamespaceKeys(HANDLER)) > 0);
    await until('the keys are forgotten', async () => (await read(CALLER)).status === DATA_LOSS);
    await assertUnreadable(CALLER, await read(CALLER));
    await tenantOf(CALLER).start(`${workflowId}-other`, { input: { payloads: [json('more')] } });
    const [started] = await historyOf(tenantOf(CALLER), `${workflowId}-other`);
    assert.equal(Buffer.from(started.attributes.value.input.payloads[0].data).toString(), '"more"');
  });
});
