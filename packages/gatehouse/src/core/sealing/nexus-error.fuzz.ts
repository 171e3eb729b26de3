import { fromBinary } from '@bufbuild/protobuf';
import { refuse } from '#base/model/refusals';
import { messageType } from '#base/proto/api-registry';
import { Fault, MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { requestTable } from '#testing/fuzz/request-table';
import { messageOfJson } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { sealNexusError } from './nexus-error.ts';

const scanner = new MessageScanner(requestTables, { reply: false });
const failureTable = requestTable('temporal.api.failure.v1.Failure');
const kinds = [
  ['operation', requestTable('temporal.api.nexus.v1.UnsuccessfulOperationError')],
  ['handler', requestTable('temporal.api.nexus.v1.HandlerError')],
] as const;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Whatever stands for a failure becomes one that the scanner takes, and what is written instead is an error again. */
export function fuzz(bytes: Buffer): void {
  const [kind, table] = kinds[(bytes[0] ?? 0) & 1] ?? kinds[0];
  const content = bytes.subarray(1);
  if (!scanner.scan(table, content)) return;
  const sealed = unlessRefused(
    () =>
      sealNexusError(content, kind, (failure) => {
        if (scanner.scan(failureTable, failure)) return failure;
        if (scanner.fault === Fault.tooDeep) throw refuse('message_malformed');
        throw new Error(`a failure that is ${scanner.fault}`);
      }),
    'message_malformed',
  );
  if (sealed === undefined) return;
  if (!scanner.scan(table, sealed)) throw new Error(`what is sent is ${scanner.fault} at ${scanner.faultAt}`);
  fromBinary(messageType(table.name), sealed);
}

export const protobufFrom = 1;

export function* seeds(): Generator<Uint8Array> {
  const failures = [
    {
      message: 'm',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: base64('{"source":"x"}'),
    },
    { message: 'm', details: base64('{"a":1}'), cause: { message: 'c', stackTrace: 's' } },
    {
      metadata: { type: 'nexus.HandlerError' },
      details: base64('{"type":"NOT_FOUND","retryableOverride":true}'),
    },
    { metadata: { type: 'nexus.OperationError' }, details: base64('{"state":"canceled"}') },
    { metadata: { type: 'nexus.HandlerError' }, details: base64('{"encodedAttributes":"e30"}') },
    { message: 'm', details: base64('no JSON') },
  ];
  for (const failure of failures) {
    const error = { errorType: 'INTERNAL', failure };
    yield Buffer.concat([Buffer.of(1), innerOf('RespondNexusTaskFailed', { error })]);
    const operationError = { operationState: 'canceled', failure };
    const response = { startOperation: { operationError } };
    yield Buffer.concat([Buffer.of(0), innerOf('RespondNexusTaskCompleted', { response })]);
  }
}

/** The content of the innermost message that was given. */
function innerOf(method: string, json: Parameters<typeof messageOfJson>[2]): Uint8Array {
  const { at, bytes } = messageOfJson(method, 'request', json);
  if (!scanner.scan(at.table, bytes)) throw new Error('a seed that does not scan');
  return Buffer.from(bytes.subarray(scanner.contentStart(0), scanner.contentEnd(0)));
}

export const dictionary: string[] = [
  'temporal.api.failure.v1.Failure',
  '{"canceledFailureInfo":{}}',
  '{"applicationFailureInfo":{"type":"x"}}',
  '"retryableOverride":false',
  'type',
];
