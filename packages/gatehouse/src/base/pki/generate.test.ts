import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { Refusal } from '#base/model/refusals';
import { parseCaBundle } from './ca-bundle.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { formatName } from './distinguished-name.ts';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from './generate.ts';
import { readPem } from './pem.ts';
import { DAY_MS, HOUR_MS, NOW_MS, openOpensslFolder } from './testing-certificates.test.ts';

function read(pem: string): Certificate {
  return parseCertificate(readPem(pem).blocks[0]?.der ?? new Uint8Array());
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return error.message;
  }
  return assert.fail('it was not refused');
}

const caRequest = { organization: 'Acme Inc', validityMs: 30 * DAY_MS, nowMs: NOW_MS };
const ca = await generateCa(caRequest);
const leafRequest = {
  caPem: ca.certificatePem,
  caKeyPem: ca.privateKeyPem,
  organization: 'Acme Inc',
  nowMs: NOW_MS,
};

describe('cert ca, as tcld makes it', () => {
  it('is ECDSA P-384 with the subject O, one DNS name and the usages of a CA', () => {
    const certificate = read(ca.certificatePem);
    assert.deepEqual(certificate.key, { kind: 'ec', curve: 'P-384' });
    assert.equal(certificate.signature.hash, 'SHA-384');
    assert.equal(formatName(certificate.subject), 'O=Acme Inc');
    assert.deepEqual(certificate.extensions.basicConstraints, { ca: true });
    assert.deepEqual([...(certificate.extensions.keyUsage ?? [])], [0, 5, 6]);
    const [name, ...others] = certificate.extensions.subjectAlternativeNames ?? [];
    assert.match(name?.kind === 'dns' ? (name.text ?? '') : '', /^client\.root\.Acme Inc\.[0-9A-Za-z-]{4}$/);
    assert.equal(others.length, 0);
    assert.equal(certificate.notBeforeMs, NOW_MS - 60_000);
    assert.equal(certificate.notAfterMs, NOW_MS + 30 * DAY_MS);
    assert.equal(parseCaBundle(ca.certificatePem, { nowMs: NOW_MS, hasFilters: false }).roots.size, 1);
  });

  it('the key is PKCS#8 and belongs to the certificate', () => {
    assert.match(ca.privateKeyPem, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.ok(new X509Certificate(ca.certificatePem).checkPrivateKey(createPrivateKey(ca.privateKeyPem)));
  });

  it('serial numbers are random, positive and below 2^130', async () => {
    const serials = await Promise.all(
      Array.from({ length: 8 }, async () => read((await generateCa(caRequest)).certificatePem).serial),
    );
    assert.equal(new Set(serials).size, 8);
    for (const serial of serials) assert.ok(BigInt(`0x${serial}`) > 0n && BigInt(`0x${serial}`) < 1n << 130n);
  });

  it("lifetimes outside tcld's limits are refused in its words", async () => {
    assert.match(
      await refusalOf(generateCa({ ...caRequest, validityMs: 366 * DAY_MS })),
      /validity-period cannot be more than: 8760h0m0s$/,
    );
    assert.match(
      await refusalOf(generateCa({ ...caRequest, validityMs: 7 * DAY_MS })),
      /validity-period cannot be less than: 168h0m0s$/,
    );
    await generateCa({ ...caRequest, validityMs: 365 * DAY_MS });
  });

  it('an organization that does not fit into a DNS name of the certificate is refused', async () => {
    for (const organization of ['', 'Müller', 'a\nb', 'a'.repeat(65)])
      assert.match(await refusalOf(generateCa({ ...caRequest, organization })), /organization/);
  });

  it('with rsa it is RSA 4096 with keyEncipherment, and so is its leaf', async () => {
    const rsa = await generateCa({ ...caRequest, rsa: true });
    const certificate = read(rsa.certificatePem);
    assert.deepEqual(certificate.key, { kind: 'rsa', bits: 4096, exponentIsSound: true });
    assert.deepEqual([...(certificate.extensions.keyUsage ?? [])], [0, 2, 5, 6]);
    const leaf = read(
      (await generateLeaf({ ...leafRequest, caPem: rsa.certificatePem, caKeyPem: rsa.privateKeyPem }))
        .certificatePem,
    );
    assert.equal(leaf.key.kind, 'rsa');
    assert.equal(leaf.signature.hash, 'SHA-256');
  });
});

describe('cert leaf, as tcld makes it', () => {
  it('has no usages, an empty OU unless one is given, and ends a day before its CA', async () => {
    const leaf = read((await generateLeaf(leafRequest)).certificatePem);
    assert.equal(formatName(leaf.subject), 'O=Acme Inc,OU=');
    assert.deepEqual(leaf.extensions.basicConstraints, { ca: false });
    assert.equal(leaf.extensions.keyUsage, undefined);
    assert.equal(leaf.extensions.extendedKeyUsage, undefined);
    assert.equal(leaf.notAfterMs, NOW_MS + 29 * DAY_MS);
    const [name] = leaf.extensions.subjectAlternativeNames ?? [];
    assert.match(
      name?.kind === 'dns' ? (name.text ?? '') : '',
      /^client\.endentity\.Acme Inc\.[0-9A-Za-z-]{4}$/,
    );
    const named = read(
      (await generateLeaf({ ...leafRequest, organizationalUnit: 'Pay', commonName: 'wörker' }))
        .certificatePem,
    );
    assert.equal(formatName(named.subject), 'O=Acme Inc,OU=Pay,CN=w\\u{f6}rker');
  });

  it('a lifetime beyond that of the CA is refused in the words of tcld', async () => {
    assert.match(
      await refusalOf(generateLeaf({ ...leafRequest, validityMs: 31 * DAY_MS })),
      /validity period of 744h0m0s puts certificate's expiry after certificate authority's expiry .* by 24h0m0s$/,
    );
    assert.equal(
      read((await generateLeaf({ ...leafRequest, validityMs: HOUR_MS })).certificatePem).notAfterMs,
      NOW_MS + HOUR_MS,
    );
    assert.match(
      await refusalOf(generateLeaf({ ...leafRequest, nowMs: NOW_MS + 29 * DAY_MS + HOUR_MS })),
      /expires within 24 hours/,
    );
  });

  it('a key that is not the one of the CA, is encrypted or is no key is refused without quoting it', async () => {
    const other = await generateCa(caRequest);
    assert.match(
      await refusalOf(generateLeaf({ ...leafRequest, caKeyPem: other.privateKeyPem })),
      /does not belong/,
    );
    const text = await refusalOf(
      generateLeaf({ ...leafRequest, caKeyPem: '-----BEGIN PRIVATE KEY-----\nSECRET' }),
    );
    assert.match(text, /decoding ca key failed/);
    assert.doesNotMatch(text, /SECRET/);
    assert.match(await refusalOf(generateLeaf({ ...leafRequest, caPem: 'x' })), /decoding ca cert failed/);
  });
});

describe('the internal certificates', () => {
  it('openssl agrees with every certificate made here, strictly', async () => {
    const internal = await generateInternalCa({ commonName: 'engine internal', validityMs: 3650 * DAY_MS });
    const service = await generateServiceCertificate({
      ca: internal,
      commonName: 'engine-frontend',
      dnsNames: ['engine-frontend'],
      ipAddresses: ['127.0.0.1', '::1'],
      usages: ['serverAuth', 'clientAuth'],
      validityMs: 4000 * DAY_MS,
      nowMs: Date.now(),
    });
    const certificate = read(service.certificatePem);
    assert.deepEqual(read(internal.certificatePem).extensions.basicConstraints, { ca: true, pathLength: 0 });
    assert.deepEqual([...(read(internal.certificatePem).extensions.keyUsage ?? [])], [5, 6]);
    assert.deepEqual([...(certificate.extensions.keyUsage ?? [])], [0]);
    assert.equal(certificate.extensions.extendedKeyUsage?.size, 2);
    assert.equal(certificate.notAfterMs, read(internal.certificatePem).notAfterMs);
    assert.equal(
      new X509Certificate(service.certificatePem).subjectAltName,
      'DNS:engine-frontend, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    );
    const client = await generateCa({ ...caRequest, nowMs: Date.now() });
    const leaf = await generateLeaf({
      ...leafRequest,
      nowMs: Date.now(),
      caPem: client.certificatePem,
      caKeyPem: client.privateKeyPem,
    });
    const folder = openOpensslFolder();
    const pairs: [string, string][] = [
      [internal.certificatePem, service.certificatePem],
      [client.certificatePem, leaf.certificatePem],
    ];
    for (const [authority, signed] of pairs) {
      folder.write('ca.pem', authority);
      folder.write('leaf.pem', signed);
      folder.run('verify -CAfile ca.pem leaf.pem');
    }
    folder.close();
  });
});
