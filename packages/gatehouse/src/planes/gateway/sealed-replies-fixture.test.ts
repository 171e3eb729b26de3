// No test itself: replies of the engine with one stored payload in them, at each kind of place that has one.
import { create, toBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { decode, encode, type RawAnswer, WORKFLOW_SERVICE } from '#testing/grpc-client';
import type { PayloadMessage } from '#testing/proto/seal-by-hand';
import { type SealedSite, TENANT } from '#testing/sealed-site';

type Fields = Record<string, unknown>;

export const PAYLOAD = 'temporal.api.common.v1.Payload';
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** A payload as a Worker's converter writes it. */
export function plainPayload(text: string, encoding = 'json/plain'): PayloadMessage {
  const init = { metadata: { encoding: bytesOf(encoding) }, data: bytesOf(JSON.stringify(text)) };
  return create(messageType(PAYLOAD), init) as PayloadMessage;
}

export function payloadBytes(payload: PayloadMessage): Uint8Array {
  return toBinary(messageType(PAYLOAD), payload);
}

/** Where a payload can stand in a reply, and the method that shows it. */
export interface StoredPlace {
  readonly name: string;
  readonly method: string;
  readonly reply: (payload: PayloadMessage) => Fields;
}

const event = (name: string, value: Fields, more: Fields = {}): Fields => ({
  events: [{ attributes: { case: `${name}EventAttributes`, value }, ...more }],
});
const activity = (fields: Fields): Fields => ({ activityId: '1', ...fields });

/** One of each kind. That every field of every reply is among the opened ones is `sealed-calls.test.ts`. */
export const storedPlaces: readonly StoredPlace[] = [
  {
    name: 'input of an activity',
    method: 'PollActivityTaskQueue',
    reply: (it) => activity({ input: { payloads: [it] } }),
  },
  {
    name: 'header',
    method: 'PollActivityTaskQueue',
    reply: (it) => activity({ header: { fields: { trace: it } } }),
  },
  {
    name: 'heartbeat details',
    method: 'PollActivityTaskQueue',
    reply: (it) => activity({ heartbeatDetails: { payloads: [it] } }),
  },
  {
    name: 'memo',
    method: 'DescribeWorkflowExecution',
    reply: (it) => ({ workflowExecutionInfo: { memo: { fields: { note: it } } } }),
  },
  {
    name: 'memo in a list',
    method: 'ListWorkflowExecutions',
    reply: (it) => ({ executions: [{ memo: { fields: { note: it } } }] }),
  },
  {
    name: 'input in a history',
    method: 'GetWorkflowExecutionHistory',
    reply: (it) => ({ history: event('workflowExecutionStarted', { input: { payloads: [it] } }) }),
  },
  {
    name: 'summary of an event',
    method: 'GetWorkflowExecutionHistory',
    reply: (it) => ({ history: event('timerStarted', {}, { userMetadata: { summary: it } }) }),
  },
  {
    name: 'history in a blob',
    method: 'GetWorkflowExecutionHistory',
    reply: (it) => {
      const history = event('workflowExecutionSignaled', { input: { payloads: [it] } });
      return { rawHistory: [{ encodingType: 1, data: encode('history.v1.History', history) }] };
    },
  },
  {
    name: 'details of a failure',
    method: 'GetWorkflowExecutionHistory',
    reply: (it) => {
      const failureInfo = { case: 'applicationFailureInfo', value: { details: { payloads: [it] } } };
      return { history: event('workflowExecutionFailed', { failure: { failureInfo } }) };
    },
  },
  {
    name: 'update inside Any',
    method: 'PollWorkflowTaskQueue',
    reply: (it) => {
      const value = encode('update.v1.Request', { input: { args: { payloads: [it] } } });
      return {
        messages: [{ body: { typeUrl: 'type.googleapis.com/temporal.api.update.v1.Request', value } }],
      };
    },
  },
  {
    name: 'answer to a query',
    method: 'QueryWorkflow',
    reply: (it) => ({ queryResult: { payloads: [it] } }),
  },
  {
    name: 'input of a schedule',
    method: 'DescribeSchedule',
    reply: (it) => ({
      schedule: { action: { action: { case: 'startWorkflow', value: { input: { payloads: [it] } } } } },
    }),
  },
];

/** A failure in a history, with these words of the engine's store. */
export function failureReply(failure: Fields): Uint8Array {
  const history = event('workflowExecutionFailed', { failure });
  return encode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', { history });
}

/** Asks for the place while the engine holds this payload there. */
export async function askWith(
  site: SealedSite,
  { method, reply }: StoredPlace,
  payload: PayloadMessage,
): Promise<RawAnswer> {
  const body = encode(`workflowservice.v1.${method}Response`, reply(payload));
  site.engine.answer = () => ({ body });
  return await site.open(TENANT).call(WORKFLOW_SERVICE + method, new Uint8Array(0));
}

/** What stands there, as JSON-like text for comparison, after the caller got it. */
export function sameReply(
  { method, reply }: StoredPlace,
  answer: RawAnswer,
  expected: PayloadMessage,
): boolean {
  const name = `workflowservice.v1.${method}Response`;
  const type = messageType(`temporal.api.${name}`);
  const again = (bytes: Uint8Array): Buffer => Buffer.from(toBinary(type, decode(name, bytes)));
  return again(answer.body).equals(again(encode(name, reply(expected))));
}
