import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { messageType } from '../../../packages/gatehouse/src/base/proto/api-registry.ts';
import { decode, encode } from '../../../packages/gatehouse/src/testing/grpc-client.ts';
import type { Reply } from '../raw-tenant.ts';
import type { Answer, OperationPair } from './operation-pair.ts';

type Fields = Record<string, unknown>;
/** Fields of an answer, made of the texts of the pair that gives it. */
type Told = (word: OperationPair['word']) => Fields;

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export function payload(encoding: string, data: string | Uint8Array, more: Fields = {}): Fields {
  const content = typeof data === 'string' ? bytes(data) : data;
  return { metadata: { encoding: bytes(encoding), ...more }, data: content };
}

export const json = (value: unknown): Fields => payload('json/plain', JSON.stringify(value));

/** Gives back the input that came. */
export const echo: Answer = (pair, task) =>
  complete(pair, task, { case: 'syncSuccess', value: { payload: task.request.variant.value.payload } });

/** The operation failed or was canceled, in the form of today's SDKs. */
export const failure =
  (told: Told): Answer =>
  (pair, task) =>
    complete(pair, task, { case: 'failure', value: told(pair.word) });

/** The same in the older form. */
export const operationError =
  (operationState: 'failed' | 'canceled', told: Told): Answer =>
  (pair, task) =>
    complete(pair, task, { case: 'operationError', value: { operationState, failure: told(pair.word) } });

/** The handler itself failed: `failure` in today's form, `error` in the older. */
export const handlerFailed =
  (told: Told): Answer =>
  (pair, task) =>
    pair.handler.ask('RespondNexusTaskFailed', { taskToken: task.taskToken, ...told(pair.word) });

export const started: Answer = (pair, task) =>
  complete(pair, task, { case: 'asyncSuccess', value: { operationToken: 'token' } });

/** A workflow of the handler answers, as this command of its only task says. */
export const byWorkflow =
  (commandType: number, name: string, told: Told): Answer =>
  async (pair, task, caller) => {
    const { handler } = pair;
    const workflowId = `${caller}-handled`;
    const { callback: url, callbackHeader: header } = task.request.variant.value;
    await complete(pair, task, { case: 'asyncSuccess', value: { operationToken: workflowId } });
    await handler.start(workflowId, {
      taskQueue: { name: workflowId },
      completionCallbacks: [{ variant: { case: 'nexus', value: { url, header } } }],
    });
    const attributes = { case: `${name}CommandAttributes`, value: told(pair.word) };
    await handler.complete(await handler.takeTask(workflowId), [{ commandType, attributes }]);
  };

function complete(pair: OperationPair, task: Reply, variant: Fields): Promise<unknown> {
  const response = { variant: { case: 'startOperation', value: { variant } } };
  return pair.handler.ask('RespondNexusTaskCompleted', { taskToken: task.taskToken, response });
}

/** A failure of an application with words in every place, and a cause. */
export function applicationFailure(word: OperationPair['word'], cause?: Fields): Fields {
  const value = { type: 'Refused', nonRetryable: true, details: { payloads: [json(word('details'))] } };
  return {
    message: word('message'),
    stackTrace: `Error\n  at ${word('stack trace')}`,
    encodedAttributes: json({ more: word('encoded attributes') }),
    source: 'test',
    failureInfo: { case: 'applicationFailureInfo', value },
    ...(cause === undefined ? {} : { cause }),
  };
}

export function canceledFailure(word: OperationPair['word']): Fields {
  const value = { details: { payloads: [json(word('details'))] } };
  return { message: word('message'), failureInfo: { case: 'canceledFailureInfo', value } };
}

/** A failure in the older form, as SDKs made it: all but the message is JSON. */
export function typedNexusFailure(fields: Fields): Fields {
  const { message, ...rest } = jsonOfFailure(fields);
  return {
    message,
    metadata: { type: 'temporal.api.failure.v1.Failure' },
    details: bytes(JSON.stringify(rest)),
  };
}

function jsonOfFailure(fields: Fields): JsonObject {
  const failureBytes = encode('failure.v1.Failure', fields);
  return toJson(
    messageType('temporal.api.failure.v1.Failure'),
    decode('failure.v1.Failure', failureBytes),
  ) as JsonObject;
}
