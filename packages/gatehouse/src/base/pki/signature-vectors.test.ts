import assert from 'node:assert/strict';
import {
  constants,
  createHash,
  KeyObject,
  privateEncrypt,
  publicDecrypt,
  verify,
  webcrypto,
} from 'node:crypto';
import { describe, it } from 'node:test';
import { parseCertificate } from './certificate.ts';
import { breachOfIssuer } from './certificate-rules.ts';
import { verifyClientCertificate } from './client-certificate.ts';
import { bundleOf, root } from './client-certificate-fixture.test.ts';
import { tags } from './der.ts';
import {
  derOf,
  openSigned,
  readVectorGroups,
  type SignatureVector,
  type VectorGroup,
  withSignature,
} from './signature-vectors-fixture.test.ts';
import { makeCa, makeCertificate, NOW_MS } from './testing-certificates.test.ts';

type Algorithm = webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams;

/** The vector's key in a CA certificate, as this folder reads it. */
async function issuerOf({ spki }: VectorGroup, algorithm: Algorithm) {
  const publicKey = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  const keys = { publicKey, privateKey: root.keys.privateKey };
  const { der } = await makeCertificate({ subject: 'vector', ca: true, signer: root, keys });
  return parseCertificate(der);
}

function countOf(groups: readonly VectorGroup[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { vectors } of groups)
    for (const { verdict } of vectors) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

function assertVerdict(vector: SignatureVector, accepted: boolean): void {
  // "acceptable" is a DigestInfo without the NULL that RFC 8017 demands: OpenSSL refuses it.
  assert.equal(accepted, vector.verdict === 'valid', `${vector.name} (${vector.flags})`);
}

describe('T-013 the signatures of Wycheproof, under keys that our reader took out of a certificate', () => {
  it('T-013 ECDSA on P-256, P-384 and P-521', async () => {
    const groups = readVectorGroups('ecdsa');
    assert.deepEqual(countOf(groups), { valid: 126, invalid: 421 });
    for (const group of groups) {
      const namedCurve = { 'SHA-256': 'P-256', 'SHA-384': 'P-384', 'SHA-512': 'P-521' }[group.hash];
      const issuer = await issuerOf(group, { name: 'ECDSA', namedCurve });
      assert.deepEqual(issuer.key, { kind: 'ec', curve: namedCurve });
      for (const vector of group.vectors)
        assertVerdict(vector, verify(group.hash, vector.message, issuer.x509.publicKey, vector.signature));
    }
  });

  it('T-013 RSA PKCS#1 v1.5 with 2048, 3072 and 4096 bits', async () => {
    const groups = readVectorGroups('rsa-pkcs1');
    assert.deepEqual(countOf(groups), { valid: 13, invalid: 134, acceptable: 3 });
    for (const group of groups) {
      const issuer = await issuerOf(group, { name: 'RSASSA-PKCS1-v1_5', hash: group.hash });
      assert.equal(breachOfIssuer(issuer), undefined);
      for (const vector of group.vectors)
        assertVerdict(vector, verify(group.hash, vector.message, issuer.x509.publicKey, vector.signature));
    }
  });

  it('T-013 RSA PSS with every hash that certificates may be signed with', async () => {
    const groups = readVectorGroups('rsa-pss');
    assert.deepEqual(countOf(groups), { valid: 30, invalid: 60 });
    for (const group of groups) {
      const issuer = await issuerOf(group, { name: 'RSA-PSS', hash: group.hash });
      assert.equal(breachOfIssuer(issuer), undefined);
      const key = {
        key: issuer.x509.publicKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: group.saltBytes,
      };
      for (const vector of group.vectors)
        assertVerdict(vector, verify(group.hash, vector.message, key, vector.signature));
    }
  });
});

function judge(certificate: Uint8Array, bundle: ReturnType<typeof bundleOf>): boolean {
  return verifyClientCertificate([certificate], bundle, [], NOW_MS).admitted;
}

describe('T-013 the same faults in the signature of a client certificate', async () => {
  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  };
  const ca = await makeCa('rsa ca', { algorithm: rsa });
  const bundle = bundleOf(ca);
  const { der } = await makeCertificate({ subject: 'worker', signer: ca });
  const key = KeyObject.from(ca.keys.privateKey);

  it('T-013 each padding of the PKCS#1 vectors, made anew around our digest, has the verdict of the vector', () => {
    const digest = createHash('sha256').update(openSigned(der).signed).digest();
    let made = 0;
    for (const group of readVectorGroups('rsa-pkcs1').filter(({ file }) => file.includes('2048'))) {
      const theirs = {
        key: group.spki,
        format: 'der',
        type: 'spki',
        padding: constants.RSA_NO_PADDING,
      } as const;
      for (const vector of group.vectors) {
        // What its author padded: signing backwards. It is carried over where our digest can take the place of his.
        if (vector.signature.length !== 256 || vector.flags.includes('SmallPublicKey')) continue;
        const padded = paddedIn(theirs, vector.signature);
        const at = padded?.indexOf(createHash('sha256').update(vector.message).digest()) ?? -1;
        if (padded === undefined || at === -1 || padded[0] !== 0) continue;
        digest.copy(padded, at);
        const signature = privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, padded);
        assertVerdict(vector, judge(withSignature(der, signature), bundle));
        made += 1;
      }
    }
    assert.ok(made >= 50, `${made} vectors carried over`);
  });
});

function paddedIn(key: Parameters<typeof publicDecrypt>[0] & object, signature: Buffer): Buffer | undefined {
  try {
    return publicDecrypt(key, signature);
  } catch {
    // Not a number below the modulus: nothing was padded.
    return undefined;
  }
}

describe('T-013 malformed encodings of an ECDSA signature that is good in itself', async () => {
  const bundle = bundleOf(root);
  const { der } = await makeCertificate({ subject: 'worker', signer: root });
  const parts = integersIn(openSigned(der).signature);
  const [r, s] = parts;
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

  const pair = (...values: readonly Uint8Array[]) =>
    derOf(tags.sequence, ...values.map((value) => derOf(tags.integer, value)));
  const longer = (octets: Uint8Array) => Buffer.concat([Buffer.of(0), octets]);
  const whole = pair(r, s);

  it('T-013 as it was, and with s counted from the other end, which is as true a signature, it is accepted', () => {
    assert.equal(judge(withSignature(der, whole), bundle), true);
    assert.equal(judge(withSignature(der, pair(r, octetsOf(order - numberOf(s)))), bundle), true);
  });

  const spoiled: Readonly<Record<string, Uint8Array>> = {
    'nothing at all': Buffer.alloc(0),
    'the two numbers without DER': Buffer.concat([fixed(r), fixed(s)]),
    'a needless octet before r': pair(longer(r), s),
    'a needless octet before s': pair(r, longer(s)),
    'a length in its long form': Buffer.concat([Buffer.of(0x30, 0x81, whole.length - 2), whole.subarray(2)]),
    'a length of four octets': Buffer.concat([
      Buffer.of(0x30, 0x84, 0, 0, 0, whole.length - 2),
      whole.subarray(2),
    ]),
    'an indefinite length': Buffer.concat([Buffer.of(0x30, 0x80), whole.subarray(2), Buffer.of(0, 0)]),
    'an octet after the sequence': Buffer.concat([whole, Buffer.of(0)]),
    'an octet cut off': whole.subarray(0, -1),
    'a NULL inside the sequence': derOf(
      tags.sequence,
      derOf(tags.integer, r),
      derOf(tags.integer, s),
      derOf(tags.null),
    ),
    'three numbers': pair(r, s, s),
    'one number': pair(r),
    'r and s exchanged': pair(s, r),
    'a set in place of the sequence': Buffer.concat([Buffer.of(0x31), whole.subarray(1)]),
    'octet strings in place of integers': derOf(tags.sequence, derOf(4, r), derOf(4, s)),
    'r above the order': pair(octetsOf(numberOf(r) + order), s),
    's above the order': pair(r, octetsOf(numberOf(s) + order)),
    'r below zero': pair(octetsBelowZero(numberOf(r)), s),
    's below zero': pair(r, octetsBelowZero(numberOf(s))),
    'r and s of zero': pair(Buffer.of(0), Buffer.of(0)),
    'r of zero': pair(Buffer.of(0), s),
    's of zero': pair(r, Buffer.of(0)),
    'r and s of one': pair(Buffer.of(1), Buffer.of(1)),
    'r and s of the order': pair(octetsOf(order), octetsOf(order)),
  };
  for (const [name, signature] of Object.entries(spoiled))
    it(`T-013 ${name} is refused`, () => {
      assert.equal(judge(withSignature(der, signature), bundle), false);
    });
});

function integersIn(signature: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const rLength = signature[3] ?? 0;
  return [signature.subarray(4, 4 + rLength), signature.subarray(6 + rLength)];
}

function numberOf(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

/** The content of the shortest INTEGER. */
function octetsOf(value: bigint): Buffer {
  const hex = value.toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return (octets[0] ?? 0) < 0x80 ? octets : Buffer.concat([Buffer.of(0), octets]);
}

function octetsBelowZero(value: bigint): Buffer {
  // Two's complement in 33 octets: the first of them is all ones.
  return Buffer.from(BigInt.asUintN(33 * 8, -value).toString(16), 'hex');
}

function fixed(octets: Uint8Array): Buffer {
  return Buffer.from(numberOf(octets).toString(16).padStart(64, '0'), 'hex');
}
