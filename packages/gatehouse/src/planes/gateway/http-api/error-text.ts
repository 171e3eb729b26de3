import { fromBinary, toJson } from '@bufbuild/protobuf';
import { engineApiRegistry, messageType } from '#base/proto/api-registry';
import type { CallAnswer } from '../identified-call.ts';
import type { AnswerForm } from './answer-form.ts';
import { printJson } from './transcode.ts';

/** An error in the engine's JSON: google.rpc.Status, with its details spelled out. */
export function errorText(
  answer: Pick<CallAnswer, 'status' | 'message' | 'details'>,
  form: AnswerForm,
): string {
  const bare = { code: answer.status, message: answer.message };
  const type = messageType('google.rpc.Status');
  if (answer.details === undefined) return printJson(type, bare, form);
  try {
    const status = fromBinary(type, Buffer.from(answer.details, 'base64'));
    const json = toJson(type, status, { registry: engineApiRegistry() }) as Record<string, unknown>;
    return printJson(type, { ...bare, details: json['details'] }, form);
  } catch {
    // Details of a type that is not in the engine's API cannot be written as JSON: code and text can.
    return printJson(type, bare, form);
  }
}
