import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { Refusal } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import { faultNames, MessageScanner } from '#base/proto/scan-message';
import { GRPC_PREFIX_BYTES, spliceFrame } from '#base/proto/splice-message';
import { requestTables, responseTables } from '#base/proto/wire-tables';
import { messageArbitrary } from '#testing/proto/message-arbitrary';
import { methodMessages, type ScannedType } from '#testing/proto/workflow-messages';
import { type OpenRules, openMessage } from './open-message.ts';
import { isDeletion, readPayload } from './payload-bytes.ts';
import { type SealRules, sealMessage } from './seal-message.ts';

const scanners = {
  request: new MessageScanner(requestTables, { reply: false }),
  response: new MessageScanner(responseTables, { reply: false }),
};

function keyringOf(namespaceUuid: string): NamespaceKeyring {
  const purposes = ['payload', 'attribute'] as const;
  return createNamespaceKeyring(
    { region: 'aws-local', account: 'local', namespaceUuid },
    purposes.map((purpose) => ({
      id: randomBytes(8).toString('hex'),
      purpose,
      createdAtMs: 1,
      key: new Secret(randomBytes(32)),
    })),
  );
}

const keyring = keyringOf('orders');
const rules: SealRules = { sealing: true, keyring, sealedAttributes: [] };
const openRules: OpenRules = { strict: true, keyring, peer: () => undefined };

function scanned({ direction, table }: ScannedType, bytes: Uint8Array): MessageScanner {
  const scanner = scanners[direction];
  assert.ok(scanner.scan(table, bytes), `${faultNames[scanner.fault]} at ${scanner.faultAt}`);
  return scanner;
}

function sealed(type: ScannedType, bytes: Uint8Array, by: SealRules = rules): Buffer {
  const scanner = scanned(type, bytes);
  return spliceFrame(scanner, sealMessage(scanner, by)).subarray(GRPC_PREFIX_BYTES);
}

function opened(type: ScannedType, bytes: Uint8Array, by: OpenRules = openRules): Buffer {
  const scanner = scanned(type, bytes);
  return spliceFrame(scanner, openMessage(scanner, by)).subarray(GRPC_PREFIX_BYTES);
}

/** A memo entry that is to be deleted, and says more than that: the words beside are not kept. */
function deletesWithWords(type: ScannedType, bytes: Uint8Array): boolean {
  const scanner = scanned(type, bytes);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    if (scanner.role(mention) !== Role.memoPayload) continue;
    const read = readPayload(scanner.content(mention));
    assert.ok(read);
    if (isDeletion(read) && read.metadataKeys.length > 0) return true;
  }
  return false;
}

/** Answers of Nexus handlers in the older form come back in the newer, in the history of their callers. */
function isNexusError(type: ScannedType, bytes: Uint8Array): boolean {
  const scanner = scanned(type, bytes);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    if (role === Role.nexusOperationError || role === Role.nexusHandlerError) return true;
  }
  return false;
}

const types = methodMessages();

test('what is sealed and opened again is the same message, for every request and reply', () => {
  for (const type of types) {
    const property = fc.property(messageArbitrary(type.desc), ({ message }) => {
      const bytes = toBinary(type.desc, message);
      fc.pre(!deletesWithWords(type, bytes) && !isNexusError(type, bytes));
      const back = opened(type, sealed(type, bytes));
      // Decoded once more: fields of a failure may come back in another order.
      assert.deepEqual(toBinary(type.desc, fromBinary(type.desc, back)), bytes, type.desc.typeName);
    });
    fc.assert(property, { numRuns: 15 });
  }
});

test('what was sealed twice needs to be opened twice: a ciphertext sent in is never opened', () => {
  const type = types.find(({ desc }) => desc.name === 'RespondActivityTaskFailedRequest');
  assert.ok(type);
  const property = fc.property(messageArbitrary(type.desc), ({ message }) => {
    const once = sealed(type, toBinary(type.desc, message));
    const decoded = (bytes: Uint8Array) => toBinary(type.desc, fromBinary(type.desc, bytes));
    assert.deepEqual(decoded(opened(type, sealed(type, once))), decoded(once));
  });
  fc.assert(property, { numRuns: 50 });
});

test('with sealing off nothing is changed, but what looks sealed is sealed all the same, or refused without a key', () => {
  const type = types.find(({ desc }) => desc.name === 'RespondActivityTaskCompletedRequest');
  assert.ok(type);
  const property = fc.property(messageArbitrary(type.desc), ({ message }) => {
    const plain = toBinary(type.desc, message);
    assert.deepEqual(Uint8Array.from(sealed(type, plain, { ...rules, sealing: false })), plain);
    const once = sealed(type, plain);
    if (once.equals(plain)) return;
    const twice = sealed(type, once, { ...rules, sealing: false });
    assert.notDeepEqual(twice, once);
    assert.deepEqual(opened(type, twice), once);
    assert.throws(
      () => sealed(type, once, { ...rules, sealing: false, keyring: undefined }),
      (error) => error instanceof Refusal && error.code === 'payload_reserved',
    );
  });
  fc.assert(property, { numRuns: 50 });
});

test('T-079a a message sealed for one namespace does not open in another', () => {
  const type = types.find(({ desc }) => desc.name === 'RespondActivityTaskFailedRequest');
  assert.ok(type);
  const other = keyringOf('billing');
  const property = fc.property(messageArbitrary(type.desc), ({ message }) => {
    const plain = toBinary(type.desc, message);
    const once = sealed(type, plain);
    if (once.equals(plain)) return;
    assert.throws(() => opened(type, once, { ...openRules, keyring: other }));
  });
  fc.assert(property, { numRuns: 30 });
});
