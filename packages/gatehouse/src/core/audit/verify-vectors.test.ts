import assert from 'node:assert/strict';
import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { openTestWriter, sampleEvent, temporaryFolder } from './fixture.test.ts';
import { checkpointLine, parseCheckpoint } from './marker-lines.ts';
import { listSegments } from './segment-files.ts';
import { parseVerificationKeys } from './verification-keys.ts';
import { verifyChain } from './verify.ts';

interface Vector {
  readonly name: string;
  readonly flags: string;
  readonly keyPem: string;
  readonly message: Buffer;
  readonly signature: Buffer;
  readonly valid: boolean;
}

const vectors = readVectors(new URL('./testing-vectors/ed25519.txt', import.meta.url));

function readVectors(file: URL): Vector[] {
  const found: Vector[] = [];
  let keyPem = '';
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [kind, name = '', flags = '', message = '', signature = '', verdict] = line.split(' ');
    if (kind === 'key') {
      const key = createPublicKey({ key: Buffer.from(flags, 'hex'), format: 'der', type: 'spki' });
      keyPem = key.export({ format: 'pem', type: 'spki' }).toString();
    } else if (kind === 'sig') {
      assert.ok(verdict === 'valid' || verdict === 'invalid');
      const octets = (hex: string): Buffer => Buffer.from(hex, 'hex');
      found.push({
        name,
        flags,
        keyPem,
        message: octets(message),
        signature: octets(signature),
        valid: verdict === 'valid',
      });
    }
  }
  return found;
}

test('T-086 every Wycheproof vector of Ed25519 has its verdict, with its key read as a key of a chain', () => {
  assert.equal(vectors.length, 151);
  assert.equal(vectors.filter(({ valid }) => valid).length, 88);
  for (const { name, keyPem, message, signature, valid } of vectors) {
    const [key] = parseVerificationKeys(keyPem).values();
    assert.ok(key);
    assert.equal(verifySignature(null, message, key, signature), valid, `test ${name}`);
  }
});

/** L of RFC 8032 section 5.1: the order of the base point. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function addToScalar(signature: Buffer, added: bigint): Buffer {
  const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + added;
  const octets = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), octets]);
}

/** The ways in which Wycheproof spoils a signature, each done to a true one of ours. */
const spoilers: Readonly<Record<string, (signature: Buffer) => Buffer>> = {
  'SignatureMalleability: the scalar and its order once': (it) => addToScalar(it, ORDER),
  'SignatureMalleability: the scalar and its order seven times': (it) => addToScalar(it, 7n * ORDER),
  'InvalidEncoding: a scalar of all ones': (it) =>
    Buffer.concat([it.subarray(0, 32), Buffer.alloc(32, 0xff)]),
  'InvalidEncoding: a point of all ones': (it) => Buffer.concat([Buffer.alloc(32, 0xff), it.subarray(32)]),
  'InvalidEncoding: the scalar of zero': (it) => Buffer.concat([it.subarray(0, 32), Buffer.alloc(32)]),
  'InvalidSignature: the neutral point and the scalar of zero': () =>
    Buffer.concat([Buffer.of(1), Buffer.alloc(63)]),
  'InvalidSignature: only zeros': () => Buffer.alloc(64),
  'InvalidSignature: halves exchanged': (it) => Buffer.concat([it.subarray(32), it.subarray(0, 32)]),
  'SignatureWithGarbage: an octet behind': (it) => Buffer.concat([it, Buffer.of(0)]),
  'SignatureWithGarbage: an octet before': (it) => Buffer.concat([Buffer.of(0), it]),
  'SignatureWithGarbage: given twice': (it) => Buffer.concat([it, it]),
  'TruncatedSignature: an octet short': (it) => it.subarray(0, 63),
  'TruncatedSignature: the point alone': (it) => it.subarray(0, 32),
  'TruncatedSignature: nothing': () => Buffer.alloc(0),
  'CompressedSignature: the scalar cut at its end': (it) => it.subarray(0, 48),
};

/** A chain that is whole but for the signature of its last line, which is made anew around it. */
async function chainSignedWith(t: TestContext, spoil: (signature: Buffer) => Buffer): Promise<string> {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder);
  writer.append(sampleEvent());
  await writer.close();
  const [segment] = await listSegments(folder);
  assert.ok(segment);
  const lines = (await readFile(segment.path, 'latin1')).trimEnd().split('\n');
  const parsed = parseCheckpoint(lines.at(-1) ?? '');
  assert.ok(parsed);
  lines[lines.length - 1] = checkpointLine(parsed.checkpoint, spoil(parsed.signature)).line.trimEnd();
  await writeFile(segment.path, `${lines.join('\n')}\n`, 'latin1');
  return folder;
}

test('T-086 a checkpoint signed as it should be verifies', async (t) => {
  const verdict = await verifyChain(await chainSignedWith(t, (signature) => signature));
  assert.equal(verdict.fault, undefined);
});

for (const [name, spoil] of Object.entries(spoilers)) {
  test(`T-086 a checkpoint whose signature was spoiled does not verify (${name})`, async (t) => {
    const verdict = await verifyChain(await chainSignedWith(t, spoil));
    assert.match(verdict.fault?.reason ?? '', /the signature does not fit|not as it is written/);
  });
}
