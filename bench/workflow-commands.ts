/** The commands and messages with which the bench's Worker answers its workflow tasks. */
import { field, message, numberField, walk } from './protobuf.ts';
import { jsonPayloads, taskQueue } from './requests.ts';

/** `RespondWorkflowTaskCompletedRequest`, but for token, identity and namespace. */
export type TaskAnswer = readonly Buffer[];

const COMMAND_FIELD = 2;
const MESSAGE_FIELD = 11;
const ACTIVITY_SECONDS_MAX = 30;
const TIMER_MS = 10;

export function scheduleActivity(queue: string): TaskAnswer {
  const attributes = message(
    field(1, '1'),
    field(2, field(1, 'charge')),
    field(4, taskQueue(queue)),
    field(6, jsonPayloads('{"amount":42}')),
    field(9, numberField(1, ACTIVITY_SECONDS_MAX)),
  );
  return [command(1, 2, attributes)];
}

export function startTimer(): TaskAnswer {
  const duration = numberField(2, TIMER_MS * 1_000_000);
  return [command(3, 3, message(field(1, '2'), field(2, duration)))];
}

/** Accepts the update that came with the task, completes it, and completes the Workflow. */
export function answerUpdate(updateMessage: Buffer): TaskAnswer {
  const fields = walk(updateMessage);
  const id = bytesOf(fields.bytes, 1).toString();
  const instance = bytesOf(fields.bytes, 2);
  const request = bytesOf(walk(bytesOf(fields.bytes, 5)).bytes, 2);
  const meta = bytesOf(walk(request).bytes, 1);
  const acceptance = message(field(1, id), numberField(2, fields.numbers.get(3) ?? 0), field(3, request));
  const response = message(field(1, meta), field(2, field(1, jsonPayloads('"done"'))));
  return [
    protocolMessage(`${id}/accept`, instance, 'Acceptance', acceptance),
    protocolMessage(`${id}/complete`, instance, 'Response', response),
    command(14, 15, field(1, `${id}/accept`)),
    command(14, 15, field(1, `${id}/complete`)),
    command(4, 4, field(1, jsonPayloads('"done"'))),
  ];
}

/** @throws Error when the field is absent: the engine's answer is not what this Worker knows. */
export function bytesOf(fields: ReadonlyMap<number, readonly Buffer[]>, number: number): Buffer {
  const value = fields.get(number)?.[0];
  if (value === undefined) throw new Error(`field ${number} is missing in an answer`);
  return value;
}

function command(type: number, attributesField: number, attributes: Buffer): Buffer {
  return field(COMMAND_FIELD, message(numberField(1, type), field(attributesField, attributes)));
}

function protocolMessage(id: string, instance: Buffer, type: string, body: Buffer): Buffer {
  const any = message(field(1, `type.googleapis.com/temporal.api.update.v1.${type}`), field(2, body));
  return field(MESSAGE_FIELD, message(field(1, id), field(2, instance), field(5, any)));
}
