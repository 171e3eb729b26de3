import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { rootCertificates } from 'node:tls';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { fingerprintsOfCertificates, parseCaBundle, parseStoredCaBundle } from './ca-bundle.ts';
import { writePem } from './pem.ts';
import {
  DAY_MS,
  type MadeCertificate,
  makeCa,
  makeCertificate,
  NOW_MS,
  openOpensslFolder,
} from './testing-certificates.test.ts';
import { KeyUsageFlags } from './x509-library.ts';

const options = { nowMs: NOW_MS, hasFilters: false };

function refusalOf(pem: string, changed: Partial<Parameters<typeof parseCaBundle>[1]> = {}): Refusal {
  try {
    parseCaBundle(pem, { ...options, ...changed });
  } catch (error) {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'ca_bundle_invalid');
    return error;
  }
  return assert.fail('the bundle was accepted');
}

let root: MadeCertificate;
let middle: MadeCertificate;
let other: MadeCertificate;
before(async () => {
  root = await makeCa('root');
  middle = await makeCa('middle', { signer: root });
  other = await makeCa('other');
});

describe('what is accepted', () => {
  it('roots and the intermediates below them are accepted in any order, with comments and blank lines', () => {
    const bundle = parseCaBundle(
      `# ours\n${middle.pem}\n\r\nsubject=CN = root\n${root.pem}\n\n${other.pem} \n`,
      options,
    );
    assert.equal(bundle.certificates.length, 3);
    assert.equal(bundle.pem, middle.pem + root.pem + other.pem);
    assert.equal(bundle.roots.size, 2);
    assert.equal(bundle.unreadable, 0);
  });

  it('the version is the same for the same certificates in another order and another for any others', () => {
    const version = (pem: string) => parseCaBundle(pem, options).fingerprint;
    assert.equal(version(root.pem + other.pem), version(other.pem + root.pem));
    assert.notEqual(version(root.pem), version(root.pem + other.pem));
    assert.match(version(root.pem), /^[0-9a-f]{64}$/);
  });

  it('differences of white space only are no change', () => {
    const spaced = root.pem.replaceAll('\n', '\r\n\n ');
    assert.equal(parseCaBundle(spaced, options).pem, root.pem);
  });

  it('a CA that becomes valid later is accepted, so that a rotation can be prepared', async () => {
    const later = await makeCa('later', { notBeforeMs: NOW_MS + DAY_MS });
    assert.equal(parseCaBundle(later.pem, options).certificates.length, 1);
  });

  it('the CA that openssl makes by default is accepted', () => {
    const folder = openOpensslFolder();
    folder.run('req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=plain -days 30 -out ca.pem');
    assert.equal(parseCaBundle(folder.read('ca.pem'), { ...options, nowMs: Date.now() }).roots.size, 1);
    folder.close();
  });
});

describe('T-014 what is refused, naming the entry', () => {
  it('T-014 an empty bundle, other text and a damaged block are refused', () => {
    for (const pem of ['', ' \n', 'hello'])
      assert.match(refusalOf(pem).message, /no CA certificate provided/);
    assert.match(refusalOf(root.pem + root.pem.slice(0, 200)).message, /2 is not a/);
    assert.match(
      refusalOf(`${root.pem}${writePem('CERTIFICATE', new Uint8Array([48, 0]))}`).message,
      /certificate 2 is not a well-formed/,
    );
    assert.match(
      refusalOf(root.pem + writePem('CERTIFICATE REQUEST', root.der)).message,
      /entry 2 is not a CERTIFICATE/,
    );
    assert.match(refusalOf(root.pem.replace(/[A-Z]/g, '!')).message, /no CA certificate|not a/);
  });

  it('T-014 a private key is refused before everything else and never quoted', () => {
    const secret = 'MIIsecretsecretsecret0000';
    for (const label of ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']) {
      const refusal = refusalOf(`${root.pem}-----BEGIN ${label}-----\n${secret}\n-----END ${label}-----\n`);
      assert.match(refusal.message, /private key refused: entry 2/);
      assert.doesNotMatch(JSON.stringify([refusal.message, refusal.detail, String(refusal.cause)]), /secret/);
    }
    const broken = `${'x'.repeat(40_000)}----BEGIN PRIVATE KEY---\n${secret}`;
    assert.match(refusalOf(broken).message, /private key refused/);
  });

  it('T-014 a leaf is refused', async () => {
    const leaf = await makeCertificate({ subject: 'leaf', signer: root });
    assert.match(refusalOf(root.pem + leaf.pem).message, /certificate 2 is a leaf certificate \(CA:false\)/);
    const bare = await makeCa('bare', { ca: null });
    assert.match(refusalOf(root.pem + bare.pem).message, /certificate 2 is not a CA certificate/);
  });

  it('T-013 a CA that may not sign certificates is refused', async () => {
    const crlOnly = await makeCa('crl', { keyUsage: KeyUsageFlags.cRLSign });
    assert.match(refusalOf(crlOnly.pem).message, /certificate 1 has a keyUsage without keyCertSign/);
  });

  it('T-014 an expired CA is refused', async () => {
    const old = await makeCa('old', { notAfterMs: NOW_MS - 1000 });
    assert.match(refusalOf(root.pem + old.pem).message, /certificate 2 expired at 2026/);
  });

  it('T-014 duplicates are refused', () => {
    assert.match(
      refusalOf(root.pem + other.pem + root.pem).message,
      /certificate 3 is the same as certificate 1/,
    );
  });

  it('T-014 more than 16 certificates or 32 KB are refused', () => {
    assert.match(refusalOf(root.pem.repeat(17)).message, /17 entries; at most 16/);
    assert.match(refusalOf(`${' '.repeat(33_000)}${root.pem}`).message, /larger than 32 KB/);
  });

  it('T-014 trailing garbage is refused, inside the certificate and after it', () => {
    assert.match(refusalOf(`${root.pem}garbage`).message, /follows entry 1/);
    const longer = writePem('CERTIFICATE', Buffer.concat([root.der, Buffer.from([0])]));
    assert.match(refusalOf(longer).message, /certificate 1 is not a well-formed/);
  });

  it('an intermediate without its issuer is refused, also when two vouch for each other', async () => {
    assert.match(
      refusalOf(other.pem + middle.pem).message,
      /certificate 2 is an intermediate whose issuer is not/,
    );
    const lookAlike = await makeCa('root');
    assert.match(refusalOf(lookAlike.pem + middle.pem).message, /certificate 2 is an intermediate/);
    const [a, b] = [await makeCa('a'), await makeCa('b')];
    const circle = [
      await makeCa('a', { signer: b, keys: a.keys }),
      await makeCa('b', { signer: a, keys: b.keys }),
    ];
    assert.match(
      refusalOf(circle.map(({ pem }) => pem).join('')).message,
      /certificate 1 is an intermediate/,
    );
  });

  it('T-013 SHA-1, MD5, short RSA keys, odd curves and version 1 are refused when the CA is uploaded', async () => {
    const sha1 = await makeCa('sha1', { hash: 'SHA-1' });
    assert.match(refusalOf(sha1.pem).message, /certificate 1 is signed with SHA-1 or MD5/);
    const folder = openOpensslFolder();
    try {
      folder.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.key');
      folder.run('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -out odd.key');
      folder.run('genpkey -algorithm ED25519 -out ed.key');
      folder.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out md5.key');
      const refusedAs = (name: string, extra: string) => {
        folder.run(`req -x509 -new -key ${name}.key -subj /CN=${name} -days 30 ${extra} -out ${name}.pem`);
        return refusalOf(folder.read(`${name}.pem`), { nowMs: Date.now() }).message;
      };
      assert.match(refusedAs('short', '-sha256'), /RSA key of 1024 bits/);
      assert.match(refusedAs('odd', '-sha256'), /neither RSA nor ECDSA on P-256/);
      assert.match(refusedAs('ed', '-sha256'), /neither RSA nor ECDSA on P-256/);
      assert.match(refusedAs('md5', '-md5'), /SHA-1 or MD5/);
      folder.run('req -new -key md5.key -subj /CN=v1 -out v1.csr');
      folder.run('x509 -req -in v1.csr -signkey md5.key -days 30 -out v1.pem');
      assert.match(refusalOf(folder.read('v1.pem')).message, /certificate 1 is X.509 version 1/);
    } finally {
      folder.close();
    }
  });

  it('a well-known public CA is refused unless there are certificate filters', () => {
    const publicRootFingerprints = fingerprintsOfCertificates(rootCertificates);
    assert.equal(publicRootFingerprints.size, rootCertificates.length);
    const pem = rootCertificates.find((candidate) => {
      try {
        return parseCaBundle(candidate, { nowMs: Date.now(), hasFilters: true }).roots.size === 1;
      } catch {
        return false;
      }
    });
    assert.ok(pem !== undefined);
    assert.match(
      refusalOf(pem, { nowMs: Date.now(), publicRootFingerprints }).message,
      /certificate 1 is a well-known public CA/,
    );
  });
});

describe('a stored bundle', () => {
  it('is read without asking rules and never throws', async () => {
    const old = await makeCa('old', { notAfterMs: NOW_MS - 1000 });
    const bundle = parseStoredCaBundle(`${old.pem}${middle.pem}-----BEGIN CERTIFICATE-----\nxx`);
    assert.equal(bundle.certificates.length, 2);
    assert.equal(bundle.unreadable, 1);
    assert.equal(parseStoredCaBundle('').certificates.length, 0);
  });

  it('any text is read without throwing and refused with words of our own', () => {
    const piece = fc.constantFrom(
      '-----BEGIN ',
      'CERTIFICATE',
      '-----',
      '-----END ',
      '\n',
      root.pem,
      'AAAA',
      '=',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        parseStoredCaBundle(text);
        try {
          parseCaBundle(text, options);
        } catch (error) {
          assert.ok(error instanceof Refusal);
        }
      }),
    );
  });

  it('what was accepted reads the same when it is stored', () => {
    const accepted = parseCaBundle(root.pem + middle.pem, options);
    const stored = parseStoredCaBundle(accepted.pem);
    assert.equal(stored.fingerprint, accepted.fingerprint);
    assert.deepEqual(stored.roots, accepted.roots);
  });
});
