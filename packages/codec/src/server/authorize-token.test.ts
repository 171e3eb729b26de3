import assert from 'node:assert/strict';
import { constants, createHash, createPublicKey, privateEncrypt, publicDecrypt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startTokenIssuer, type TokenIssuer } from '../testing/token-issuer.ts';
import { authorizeToken } from './authorize-token.ts';

let issuer: TokenIssuer;
let authorize: ReturnType<typeof authorizeToken>;

before(async () => {
  issuer = await startTokenIssuer();
  authorize = authorizeToken({ issuer: issuer.issuer, audience: 'codec' });
});
after(() => issuer.close());

const octetsOf = (token: string): Buffer => Buffer.from(token.split('.')[2] ?? '', 'base64url');

async function isPermitted(token: string, signature: Uint8Array): Promise<boolean> {
  const signed = token.split('.').slice(0, 2).join('.');
  const authorization = `Bearer ${signed}.${Buffer.from(signature).toString('base64url')}`;
  const header = (name: string) => (name === 'authorization' ? authorization : undefined);
  const { outcome } = await authorize({ operation: 'decode', namespace: 'orders.acme1', header });
  assert.ok(outcome !== 'forbidden');
  return outcome === 'permitted';
}

const claims = { permissions: ['orders.acme1:read'] };
/** Of P-256 (FIPS 186-4, D.1.2.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const number = (octets: Uint8Array): bigint => BigInt(`0x${Buffer.from(octets).toString('hex')}`);
const octets = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag, content.length), content]);
};

test('T-055 an ES256 token whose signature is spoiled in the ways of Wycheproof is refused', async () => {
  const token = await issuer.sign(claims, 'ES256');
  const whole = octetsOf(token);
  const [r, s] = [whole.subarray(0, 32), whole.subarray(32)];
  const zero = Buffer.alloc(32);
  const integer = (it: Buffer) => der(2, Buffer.of(0), it);
  const spoiled: Record<string, readonly Buffer[]> = {
    'r and s of zero (CVE-2022-21449)': [zero, zero],
    'r of zero': [zero, s],
    's of zero': [r, zero],
    'r and s of the order': [octets(ORDER), octets(ORDER)],
    'r and s of one': [octets(1n), octets(1n)],
    's of the order': [r, octets(ORDER)],
    'all ones': [Buffer.alloc(64, 0xff)],
    'r and s exchanged': [s, r],
    'in DER': [der(0x30, integer(r), integer(s))],
    'an octet short': [whole.subarray(0, 63)],
    'r alone': [r],
    nothing: [],
    'an octet behind': [whole, Buffer.of(0)],
    'an octet before': [Buffer.of(0), whole],
    'each number an octet longer': [Buffer.of(0), r, Buffer.of(0), s],
    'given twice': [whole, whole],
  };
  for (const [name, parts] of Object.entries(spoiled))
    assert.equal(await isPermitted(token, Buffer.concat(parts)), false, name);
  assert.equal(await isPermitted(token, whole), true);
  // As true a signature: nothing hangs on the text of a token.
  assert.equal(await isPermitted(token, Buffer.concat([r, octets(ORDER - number(s))])), true);
});

/** Wycheproof's RSA vectors of 2048 bits, in Gatehouse's own file: source and licence stand at its head. */
function readPaddings(): {
  readonly name: string;
  readonly padded: Buffer;
  readonly at: number;
  readonly isValid: boolean;
}[] {
  const file = new URL('../../../gatehouse/src/base/pki/testing-vectors/rsa-pkcs1.txt', import.meta.url);
  const found: ReturnType<typeof readPaddings> = [];
  let spki: Buffer | undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [kind, name = '', second = '', message = '', signature = '', verdict] = line.split(' ');
    if (kind === 'key') spki = name.includes('2048') ? Buffer.from(second, 'hex') : undefined;
    if (kind !== 'sig' || spki === undefined || signature.length !== 512 || second.includes('SmallPublicKey'))
      continue;
    const padded = unpad(spki, Buffer.from(signature, 'hex'));
    const at = padded?.indexOf(createHash('sha256').update(Buffer.from(message, 'hex')).digest()) ?? -1;
    if (padded !== undefined && padded[0] === 0 && at !== -1)
      found.push({ name, padded, at, isValid: verdict === 'valid' });
  }
  return found;
}

function unpad(spki: Buffer, signature: Buffer): Buffer | undefined {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    // Not a number below the modulus: nothing was padded.
    return undefined;
  }
}

test("T-055 an RS256 token with each of Wycheproof's PKCS#1 paddings, around its own digest, has the vector's verdict", async () => {
  const token = await issuer.sign(claims, 'RS256');
  const digest = createHash('sha256').update(token.split('.').slice(0, 2).join('.')).digest();
  const paddings = readPaddings();
  assert.ok(paddings.length >= 50 && paddings.some(({ isValid }) => isValid));
  for (const { name, padded, at, isValid } of paddings) {
    digest.copy(padded, at);
    const key = { key: issuer.pairs.RS256.privateKey, padding: constants.RSA_NO_PADDING };
    assert.equal(await isPermitted(token, privateEncrypt(key, padded)), isValid, `test ${name}`);
  }
});
