import type { NamespaceRecord } from '#base/model/namespace-record';
import { MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { ByteSource } from '#testing/fuzz/byte-source';
import { messageOf, messageOfJson, payloadJson, sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { checkClientEncryption } from './check-client-encryption.ts';

const NOTE_CHARS_MAX = 1000;
const words = [
  'header:trace',
  'memo',
  'attribute:Customer',
  'marker:Version',
  'failure',
  'query-error',
  'summary',
];
const scanner = new MessageScanner(requestTables, { reply: false });

/** What is reported is refused where it must be encrypted, in one line that repeats no value; words only allow more. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { method, direction } = messageOf(source.number());
  const allowed = [...words, `path:${source.piece().toString('utf8')}`].filter(() => source.flag());
  const message = source.rest();
  if (direction !== 'request' || !scanner.scan(method.request, message)) return;
  const report = (plaintextAllowed: readonly string[]): string =>
    checkClientEncryption(scanner, recordOf('report', plaintextAllowed), method);
  const [strict, lax] = [report([]), report(allowed)];
  const refused =
    unlessRefused(
      () => checkClientEncryption(scanner, recordOf('require', []), method),
      'plaintext_refused',
    ) === undefined;
  if (refused !== (strict !== '')) throw new Error(`reported: ${strict}; refused: ${refused}`);
  if (strict === '' && lax !== '') throw new Error(`only with words that allow: ${lax}`);
  for (const note of [strict, lax])
    if (note.length > NOTE_CHARS_MAX || /[\n\r]/.test(note))
      throw new Error(`a note of ${note.length} characters`);
}

function recordOf(
  clientEncryption: 'report' | 'require',
  plaintextAllowed: readonly string[],
): NamespaceRecord {
  const record: Pick<NamespaceRecord, 'clientEncryption' | 'plaintextAllowed'> = {
    clientEncryption,
    plaintextAllowed,
  };
  return record as NamespaceRecord;
}

export const protobufFrom = 11;

export function* seeds(): Generator<Uint8Array> {
  const head = Buffer.from([0, 1, 0, 1, 0, 1, 0, 1, 0]);
  for (const { number, bytes } of sampleMessages('request')) yield Buffer.concat([number, head, bytes]);
  const encrypted = payloadJson('binary/encrypted', 'x');
  const empty = payloadJson('binary/null', '');
  const attributes = { indexedFields: { Customer: encrypted, TemporalChangeVersion: encrypted } };
  for (const input of [encrypted, empty]) {
    const json = {
      input: { payloads: [input] },
      memo: { fields: { note: input } },
      header: { fields: { trace: input } },
      searchAttributes: attributes,
    };
    const { number, bytes } = messageOfJson('StartWorkflowExecution', 'request', json);
    yield Buffer.concat([number, head, bytes]);
  }
  const marker = { markerName: 'Version', details: { version: { payloads: [empty] } } };
  const commands = [{ commandType: 'COMMAND_TYPE_RECORD_MARKER', recordMarkerCommandAttributes: marker }];
  const { number, bytes } = messageOfJson('RespondWorkflowTaskCompleted', 'request', { commands });
  yield Buffer.concat([number, head, bytes]);
}

export const dictionary: string[] = [
  'encoding',
  'binary/encrypted',
  'json/plain',
  'Encoded failure',
  'null',
  '[]',
];
