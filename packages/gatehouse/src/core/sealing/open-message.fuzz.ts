import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { messageType } from '#base/proto/api-registry';
import { MessageScanner } from '#base/proto/scan-message';
import { GRPC_PREFIX_BYTES, spliceFrame } from '#base/proto/splice-message';
import { responseTables } from '#base/proto/wire-tables';
import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring } from '#testing/fuzz/fixed-keys';
import { messageOf, messageOfJson, payloadJson, sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { sealByHand } from '#testing/proto/seal-by-hand';
import { KeyNotLoaded, openMessage } from './open-message.ts';

const own = fixedKeyring('a');
const peer = fixedKeyring('b');
const sealedAttributes = ['Customer'];
// Checks all of it, so that what comes out can be held against it.
const scanner = new MessageScanner(responseTables, { reply: false });

/** Whatever an engine puts into a reply: it is refused, or what goes on is a message of the same form. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { table, direction } = messageOf(source.number());
  const flags = source.byte();
  const message = source.rest();
  if (direction !== 'response' || !scanner.scan(table, message)) return;
  const edits = unlessRefused(() => {
    try {
      return openMessage(scanner, {
        strict: (flags & 1) === 1,
        keyring: (flags & 2) === 2 ? undefined : own,
        sealedAttributes,
        peer: (keyId) => ((flags & 4) === 4 && peer.hasKey(keyId) ? peer : undefined),
        plainNexus: () => (flags & 8) === 8,
      });
    } catch (error) {
      if (error instanceof KeyNotLoaded && /^[0-9a-f]{16}$/.test(error.keyId)) return undefined;
      throw error;
    }
  }, 'payload_unreadable');
  if (edits === undefined) return;
  const opened = spliceFrame(scanner, edits).subarray(GRPC_PREFIX_BYTES);
  if (!scanner.scan(table, opened)) throw new Error(`what goes on is ${scanner.fault} at ${scanner.faultAt}`);
  fromBinary(messageType(table.name), opened);
}

export const protobufFrom = 3;

export function* seeds(): Generator<Uint8Array> {
  for (const [name, value] of [
    ['Customer', `"${own.sealAttribute('Customer', 'value')}"`],
    ['Keyword01', `["${own.sealAttribute('Customer', 'value')}","gh1.AAAA"]`],
  ] as const) {
    const payload = payloadJson('json/plain', value);
    const workflowExecutionInfo = { searchAttributes: { indexedFields: { [name]: payload } } };
    const { number, bytes } = messageOfJson('DescribeWorkflowExecution', 'response', {
      workflowExecutionInfo,
    });
    yield Buffer.concat([number, Buffer.of(0), bytes]);
  }
  for (const keyring of [own, peer]) {
    for (const { number, at, bytes } of sampleMessages('response')) {
      const message = reflect(at.desc, fromBinary(at.desc, bytes));
      sealByHand(message, { keyring, open: new Set(), sealedAttributes: [] });
      yield Buffer.concat([number, Buffer.of(keyring === own ? 0 : 12), toBinary(at.desc, message.message)]);
    }
  }
}

export const dictionary: string[] = ['Customer', 'Keyword01', 'json/plain', '"gh1.', '["gh1.'];
