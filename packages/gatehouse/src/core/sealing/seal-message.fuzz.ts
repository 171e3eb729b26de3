import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import { engineApiRegistry, messageType } from '#base/proto/api-registry';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { GRPC_PREFIX_BYTES, spliceFrame } from '#base/proto/splice-message';
import { requestTables } from '#base/proto/wire-tables';
import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring } from '#testing/fuzz/fixed-keys';
import { messageOf, messageOfJson, payloadJson, sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { openMessage } from './open-message.ts';
import { sealMessage } from './seal-message.ts';
import { boxOf } from './sealed-payload.ts';
import { looksSealedText } from './sealed-text.ts';

const keyring = fixedKeyring('a');
const sealedAttributes = ['Customer'];
const scanner = new MessageScanner(requestTables, { reply: false });
/** Changed for good on the way: emptied, or put into the form of another failure. */
const notGivenBack: ReadonlySet<number> = new Set([
  Role.memoPayload,
  Role.attributePayload,
  Role.nexusOperationError,
  Role.nexusHandlerError,
  Role.query,
  Role.batchQuery,
]);

/** With sealing on nothing said in a payload or a failure stays readable, and what is opened again is what was said. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { table, direction } = messageOf(source.number());
  const flags = source.byte();
  const message = source.rest();
  if (direction !== 'request' || !scanner.scan(table, message)) return;
  const comesBack = !rolesOf().some((role) => notGivenBack.has(role));
  const rules = {
    sealing: (flags & 1) === 0,
    keyring: (flags & 2) === 2 ? undefined : keyring,
    sealedAttributes: (flags & 4) === 4 ? sealedAttributes : [],
  };
  const sealed = unlessRefused(
    () => spliceFrame(scanner, sealMessage(scanner, rules)).subarray(GRPC_PREFIX_BYTES),
    'payload_reserved',
    'attribute_refused',
    'filter_refused',
    'query_refused',
    'encryption_unavailable',
    'message_malformed',
  );
  if (sealed === undefined) return;
  if (!scanner.scan(table, sealed)) throw new Error(`what is sent is ${scanner.fault} at ${scanner.faultAt}`);
  if (rules.sealing) checkSealed();
  if (!comesBack || rules.keyring === undefined) return;
  const peer = (): undefined => undefined;
  const opened = spliceFrame(scanner, openMessage(scanner, { strict: false, keyring, peer }));
  const [before, after] = [message, opened.subarray(GRPC_PREFIX_BYTES)].map((each) =>
    textOf(table.name, each),
  );
  if (before !== after) throw new Error(`${before}\ncomes back as\n${after}`);
}

function rolesOf(): number[] {
  return Array.from({ length: scanner.mentionCount }, (_, mention) => scanner.role(mention));
}

function checkSealed(): void {
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    const content = scanner.content(mention);
    const text = scanner.text(mention);
    const isPayload = role === Role.payload || role === Role.headerPayload || role === Role.failureAttributes;
    if (isPayload && boxOf(content) === undefined) throw new Error(`mention ${mention} is not sealed`);
    const isClear =
      (role === Role.failureMessage && text !== '' && text !== 'Encoded failure') ||
      (role === Role.failureStackTrace && text !== '') ||
      (role === Role.privateText && text !== '' && !looksSealedText(text));
    if (isClear) throw new Error(`${text} is sent in clear`);
  }
}

/** Compared as JSON: an emptied text is none. */
function textOf(typeName: string, bytes: Uint8Array): string {
  const type = messageType(typeName);
  try {
    return toJsonString(type, fromBinary(type, bytes), { registry: engineApiRegistry() });
  } catch {
    // Times out of range and the like have no JSON.
    return '';
  }
}

export const protobufFrom = 3;

export function* seeds(): Generator<Uint8Array> {
  for (const value of ['"text"', '["a","b"]', '[]', '"gh1.x"', 'null']) {
    const payload = payloadJson('json/plain', value);
    const searchAttributes = { indexedFields: { Customer: payload, Region: payload } };
    const memo = { fields: { note: payload } };
    const { number, bytes } = messageOfJson('StartWorkflowExecution', 'request', { searchAttributes, memo });
    for (const flags of [0, 4]) yield Buffer.concat([number, Buffer.of(flags), bytes]);
  }
  for (const query of ["Customer = 'x'", "Region = 'x' AND NOT Customer IN ('a','b')", 'Customer > 5']) {
    const { number, bytes } = messageOfJson('ListWorkflowExecutions', 'request', { query });
    yield Buffer.concat([number, Buffer.of(4), bytes]);
  }
  for (const { number, bytes } of sampleMessages('request'))
    for (const flags of [0, 1, 4]) yield Buffer.concat([number, Buffer.of(flags), bytes]);
}

export const dictionary: string[] = [
  'Customer',
  'json/plain',
  '"text"',
  '["a","b"]',
  'encoding',
  "Customer = 'x'",
  'unknown/nexus-content',
  'application/x-temporal-payload',
];
