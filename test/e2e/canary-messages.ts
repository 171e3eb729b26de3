import assert from 'node:assert/strict';
import { encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type CanaryTenant, command } from './canary-tenant.ts';
import type { Reply } from './raw-tenant.ts';

type Fields = Record<string, unknown>;

const INVALID_ARGUMENT = 3;

/** Signals, queries and updates to a workflow whose id is its task queue too, with answers and with refusals. */
export async function exchangeMessages(tenant: CanaryTenant, workflowId: string): Promise<void> {
  await tenant.ask('SignalWorkflowExecution', {
    workflowExecution: { workflowId },
    signalName: 'wake',
    input: tenant.input('signal, input'),
    header: tenant.map('signal, header'),
  });
  await queryOnTasks(tenant, workflowId);
  await queryAlone(tenant, workflowId);
  await acceptUpdate(tenant, workflowId);
  await rejectUpdate(tenant, workflowId);
}

function query(tenant: CanaryTenant, workflowId: string, place: string): Promise<Reply> {
  const queryArgs = tenant.input(`${place}, arguments`);
  return tenant.call('QueryWorkflow', {
    execution: { workflowId },
    query: { queryType: 'state', queryArgs, header: tenant.map(`${place}, header`) },
  });
}

/** While a workflow task is under way a query waits for the next one, and rides on it. */
async function queryOnTasks(tenant: CanaryTenant, workflowId: string): Promise<void> {
  const forceCreateNewWorkflowTask = true;
  const taskWith = async (): Promise<{ task: Reply; queryId: string }> => {
    for (;;) {
      const task = await tenant.takeTask(workflowId);
      const [queryId] = Object.keys(task.queries);
      if (queryId !== undefined) return { task, queryId };
      await tenant.finish(task, [], { forceCreateNewWorkflowTask });
    }
  };
  const answered = query(tenant, workflowId, 'query on a task');
  const first = await taskWith();
  const yes = { resultType: 1, answer: tenant.input('query on a task, answer') };
  await tenant.finish(first.task, [], {
    queryResults: { [first.queryId]: yes },
    forceCreateNewWorkflowTask,
  });
  assert.equal((await answered).status, 0);

  const refused = query(tenant, workflowId, 'query on a task that fails');
  const second = await taskWith();
  const errorMessage = tenant.word('query on a task, error');
  const no = { resultType: 2, errorMessage, failure: tenant.failure('query on a task, failure') };
  await tenant.finish(second.task, [], { queryResults: { [second.queryId]: no } });
  const { status, message } = await refused;
  assert.deepEqual([status, message], [INVALID_ARGUMENT, errorMessage]);
}

/** With no workflow task under way, each is a task of its own. */
async function queryAlone(tenant: CanaryTenant, workflowId: string): Promise<void> {
  const answered = query(tenant, workflowId, 'query alone');
  await tenant.ask('RespondQueryTaskCompleted', {
    taskToken: (await tenant.takeTask(workflowId)).taskToken,
    completedType: 1,
    queryResult: tenant.input('query alone, answer'),
  });
  assert.equal((await answered).status, 0);

  const refused = query(tenant, workflowId, 'query alone that fails');
  const errorMessage = tenant.word('query alone, error');
  await tenant.ask('RespondQueryTaskCompleted', {
    taskToken: (await tenant.takeTask(workflowId)).taskToken,
    completedType: 2,
    errorMessage,
    failure: tenant.failure('query alone, failure'),
  });
  const { status, message } = await refused;
  assert.deepEqual([status, message], [INVALID_ARGUMENT, errorMessage]);
}

function update(tenant: CanaryTenant, workflowId: string, updateId: string): Promise<Reply> {
  const args = tenant.input('update, arguments');
  return tenant.ask('UpdateWorkflowExecution', {
    workflowExecution: { workflowId },
    waitPolicy: { lifecycleStage: 3 },
    request: {
      meta: { updateId },
      input: { name: 'set', args, header: tenant.map('update, header') },
    },
  });
}

/** A message of a Worker about an update. */
export function updateMessage(task: Reply, id: string, type: string, fields: Fields): Fields {
  const [{ protocolInstanceId }] = task.messages;
  const typeUrl = `type.googleapis.com/temporal.api.update.v1.${type}`;
  return { id, protocolInstanceId, body: { typeUrl, value: encode(`update.v1.${type}`, fields) } };
}

async function acceptUpdate(tenant: CanaryTenant, workflowId: string): Promise<void> {
  const meta = { updateId: 'accepted' };
  const done = update(tenant, workflowId, 'accepted');
  const task = await tenant.takeTask(workflowId);
  const [message] = task.messages;
  const acceptance = {
    acceptedRequestMessageId: message.id,
    acceptedRequestSequencingEventId: message.sequencingId.value,
    acceptedRequest: { meta, input: { name: 'set', args: tenant.input('update, arguments as accepted') } },
  };
  const outcome = { value: { case: 'success', value: tenant.input('update, result') } };
  const commands = ['accept', 'respond'].map((messageId) => command(14, 'protocolMessage', { messageId }));
  await tenant.finish(task, commands, {
    messages: [
      updateMessage(task, 'accept', 'Acceptance', acceptance),
      updateMessage(task, 'respond', 'Response', { meta, outcome }),
    ],
  });
  assert.equal((await done).outcome.value.case, 'success');
}

async function rejectUpdate(tenant: CanaryTenant, workflowId: string): Promise<void> {
  const done = update(tenant, workflowId, 'rejected');
  const task = await tenant.takeTask(workflowId);
  const [message] = task.messages;
  const rejection = {
    rejectedRequestMessageId: message.id,
    rejectedRequest: { meta: { updateId: 'rejected' }, input: { name: 'set' } },
    failure: tenant.failure('update, rejection'),
  };
  await tenant.finish(task, [], { messages: [updateMessage(task, 'reject', 'Rejection', rejection)] });
  assert.equal((await done).outcome.value.case, 'failure');
}
