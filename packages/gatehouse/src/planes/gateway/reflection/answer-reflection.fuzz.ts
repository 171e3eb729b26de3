import { create, fromBinary, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { answerReflection } from './answer-reflection.ts';
import { openCatalogue } from './catalogue.ts';

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const requestType = messageType('grpc.reflection.v1.ServerReflectionRequest');
const responseType = messageType('grpc.reflection.v1.ServerReflectionResponse');
const catalogue = openCatalogue({ nexusEnabled: false });

/** Each question has one answer, which repeats the question and is of a bounded size; what is none is told. */
export function fuzz(bytes: Buffer): void {
  const sent = new Set<string>();
  const answer = answerReflection(catalogue, bytes, sent);
  const question = decode(bytes);
  if ((answer === undefined) !== (question === undefined))
    throw new Error('another reading than the library has');
  if (answer === undefined) return;
  if (answer.length > ANSWER_BYTES_MAX + bytes.length) throw new Error(`${answer.length} bytes`);
  const said = toJson(responseType, fromBinary(responseType, answer)) as Record<string, unknown>;
  if (JSON.stringify(said['originalRequest']) !== JSON.stringify(question))
    throw new Error('another question');
  if (Object.keys(said).filter((key) => /(?:Response|Symbol)$/.test(key)).length !== 1)
    throw new Error('no answer');
  const again = answerReflection(catalogue, bytes, sent);
  if (again === undefined || again.length > answer.length)
    throw new Error('files are sent twice on one stream');
}

function decode(bytes: Buffer): JsonValue | undefined {
  try {
    return toJson(requestType, fromBinary(requestType, bytes));
  } catch {
    return undefined;
  }
}

export const protobufFrom = 0;

export function* seeds(): Generator<Uint8Array> {
  for (const [name, value] of [
    ['fileByFilename', 'temporal/api/workflowservice/v1/service.proto'],
    ['fileContainingSymbol', 'temporal.api.common.v1.Payload'],
    ['fileContainingSymbol', '.temporal.api.workflowservice.v1.WorkflowService.ListNamespaces'],
    ['allExtensionNumbersOfType', 'google.protobuf.MethodOptions'],
    ['listServices', ''],
    [
      'fileContainingExtension',
      { containingType: 'google.protobuf.MethodOptions', extensionNumber: 72295728 },
    ],
  ] as const) {
    const question = create(requestType, { host: 'h', messageRequest: { case: name, value } } as never);
    yield toBinary(requestType, question);
  }
}
