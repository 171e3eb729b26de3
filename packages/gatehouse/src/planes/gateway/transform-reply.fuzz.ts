import { wholeFrame } from '#base/model/frame';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { responseTables } from '#base/proto/wire-tables';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import { KeyNotLoaded } from '#core/sealing/open-message';
import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring, fixedTokenKeys } from '#testing/fuzz/fixed-keys';
import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { OWN, OWN_ENGINE_ID, own, permitted } from './transform-fixture.test.ts';
import { transformReply } from './transform-reply.ts';

const keyring = fixedKeyring('a');
const settings = { tokenKeys: () => fixedTokenKeys, nexusEnabled: true };
const request = { frame: Buffer.alloc(PREFIX_BYTES), question: 'q', aboutReserved: false, note: '' };
const scanner = new MessageScanner(responseTables, { reply: true });

/** What reaches the caller names his own namespace and no other, and has no field that is not looked into (T-048). */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { method, direction } = messageOf(source.number());
  const flags = source.byte();
  const message = source.rest();
  if (direction !== 'response') return;
  const call = callOf(method.path);
  if (call === undefined) return;
  const open = { strict: (flags & 1) === 1, keyring, peer: () => undefined };
  const reply = unlessRefused(
    () => {
      try {
        return transformReply(call, request, toFrame(message), settings, open);
      } catch (error) {
        if (error instanceof KeyNotLoaded) return undefined;
        throw error;
      }
    },
    'reply_withheld',
    'payload_unreadable',
  );
  if (reply === undefined || !method.response.interesting) return;
  const frame = wholeFrame(reply.frame);
  if (frame.readUInt32BE(1) !== frame.length - PREFIX_BYTES) throw new Error('a wrong length in the prefix');
  if (!scanner.scan(method.response, frame, PREFIX_BYTES, frame.length))
    throw new Error(`what goes on is ${scanner.fault} at ${scanner.faultAt}`);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) checkShown(mention);
}

function checkShown(mention: number): void {
  const text = scanner.text(mention);
  switch (scanner.role(mention)) {
    case Role.namespace:
      if (text !== '' && text !== OWN) throw new Error(`names ${text}`);
      return;
    case Role.namespaceId:
      if (text !== '' && text !== OWN_ENGINE_ID) throw new Error(`names ${text}`);
      return;
    case Role.masked:
      if (text !== '') throw new Error(`shows ${text}`);
      return;
    case Role.newer:
    case Role.forbidden:
      throw new Error('shows a field that is not looked into');
    default:
  }
}

/** Undefined for a method that is never open to tenants. */
function callOf(path: string): ReturnType<typeof permitted> | undefined {
  try {
    return permitted(path, own, true);
  } catch {
    return undefined;
  }
}

export const protobufFrom = 3;

export function* seeds(): Generator<Uint8Array> {
  // `namespace_id` is field 1 of all of the engine's task tokens.
  const token = new Uint8Array(
    Buffer.from(`\x0a${String.fromCharCode(OWN_ENGINE_ID.length)}${OWN_ENGINE_ID}`),
  );
  const named = new Map<number, string | Uint8Array>([
    [Role.workflowTaskToken, token],
    [Role.activityTaskToken, token],
    [Role.nexusTaskToken, token],
    [Role.namespace, OWN],
    [Role.namespaceId, OWN_ENGINE_ID],
  ]);
  for (const { number, bytes } of sampleMessages('response', named))
    yield Buffer.concat([number, Buffer.of(0), bytes]);
}

export const dictionary: string[] = [
  OWN,
  OWN_ENGINE_ID,
  'temporal-sys-scheduler',
  'temporal-callback-token',
  'source',
];
