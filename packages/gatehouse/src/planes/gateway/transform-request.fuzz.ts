import { wholeFrame } from '#base/model/frame';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import { bindToken, type TokenKind } from '#core/tokens/token-binding';
import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring, fixedTokenKeys } from '#testing/fuzz/fixed-keys';
import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { OTHER, OWN, own, permitted } from './transform-fixture.test.ts';
import { transformRequest } from './transform-request.ts';

const keyring = fixedKeyring('a');
const settings = { tokenKeys: () => fixedTokenKeys, nexusEnabled: true };
const sealing = Object.freeze({ ...own, sealing: 'on' as const, sealedAttributes: ['Customer'] });
const reporting = Object.freeze({ ...own, clientEncryption: 'report' as const });
const requiring = Object.freeze({ ...own, clientEncryption: 'require' as const });
const namespaces = [own, sealing, reporting, requiring];
const scanner = new MessageScanner(requestTables, { reply: false });
const NOTE_CHARS_MAX = 1000;

/** What reaches the engine scans, names the caller's own namespace and no other, and holds nothing forbidden. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { method, direction } = messageOf(source.number());
  const namespace = namespaces[source.byte() % namespaces.length] ?? own;
  const message = source.rest();
  if (direction !== 'request') return;
  const call = callOf(method.path, namespace);
  if (call === undefined) return;
  const keys = namespace === sealing ? keyring : undefined;
  const outgoing = unlessRefused(
    () => transformRequest(call, toFrame(message), settings, keys),
    'message_malformed',
    'field_unknown',
    'field_refused',
    'namespace_mismatch',
    'token_foreign',
    'callback_refused',
    'reserved_name',
    'method_denied',
    'query_refused',
    'filter_refused',
    'attribute_refused',
    'payload_reserved',
    'plaintext_refused',
    'nexus_disabled',
    'message_too_large',
  );
  if (outgoing === undefined) return;
  if (outgoing.note.length > NOTE_CHARS_MAX) throw new Error(`a note of ${outgoing.note.length} characters`);
  checkSent(wholeFrame(outgoing.frame), method.request);
}

function checkSent(frame: Buffer, table: (typeof requestTables.messages)[number]): void {
  if (!scanner.scan(table, frame, PREFIX_BYTES, frame.length))
    throw new Error(`what is sent is ${scanner.fault} at ${scanner.faultAt}`);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    if (role === Role.newer || role === Role.forbidden)
      throw new Error('an unknown or forbidden field is sent');
    if (role === Role.namespace && scanner.text(mention) !== OWN)
      throw new Error(`names ${scanner.text(mention)}`);
  }
}

/** Undefined for a method that is never open to tenants. */
function callOf(path: string, namespace: typeof own): ReturnType<typeof permitted> | undefined {
  try {
    return permitted(path, namespace, true);
  } catch {
    return undefined;
  }
}

export const protobufFrom = 3;

export function* seeds(): Generator<Uint8Array> {
  const bound = (kind: TokenKind): Uint8Array => {
    const scope = { namespaceUuid: own.uuid, kind, question: '' };
    return new Uint8Array(bindToken(fixedTokenKeys, scope, Buffer.from('token')));
  };
  const named = new Map<number, string | Uint8Array>([
    [Role.workflowTaskToken, bound('workflow-task')],
    [Role.activityTaskToken, bound('activity-task')],
    [Role.nexusTaskToken, bound('nexus-task')],
    [Role.longPollToken, bound('long-poll')],
    [Role.pageToken, new Uint8Array()],
    [Role.namespace, OWN],
    [Role.linkNamespace, OWN],
    [Role.nexusEndpoint, 'payments'],
  ]);
  for (const { number, bytes } of sampleMessages('request', named))
    for (const which of namespaces.keys()) yield Buffer.concat([number, Buffer.of(which), bytes]);
}

export const dictionary: string[] = [
  OWN,
  OTHER,
  'temporal://system',
  'temporal-callback-token',
  'payments',
  'Customer',
];
