import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseStoredCaBundle } from './ca-bundle.ts';
import { verifyClientCertificate } from './client-certificate.ts';
import {
  assertAdmitted,
  assertRefused,
  bundle,
  bundleOf,
  dersOf,
  leaf,
  root,
  verify,
} from './client-certificate-fixture.test.ts';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from './generate.ts';
import {
  DAY_MS,
  HOUR_MS,
  makeCa,
  makeCertificate,
  NOW_MS,
  openOpensslFolder,
} from './testing-certificates.test.ts';

describe('what is admitted', () => {
  it('a leaf signed by a CA of the bundle is admitted under its fingerprint, serial, names and times', () => {
    const verdict = verify([leaf], bundle);
    assert.ok(verdict.admitted);
    const { identity } = verdict;
    assert.match(identity.fingerprint, /^[0-9a-f]{64}$/);
    assert.match(identity.serial, /^([0-9a-f]{2})+$/);
    assert.equal(identity.issuer, 'CN=root');
    assert.equal(identity.subject, 'CN=worker');
    assert.equal(identity.notAfterMs, NOW_MS + 30 * DAY_MS);
  });

  it('the certificates that tcld would make, without usages and with an empty OU, are admitted', async () => {
    const ca = await generateCa({ organization: 'My Org', validityMs: 30 * DAY_MS, nowMs: NOW_MS });
    const made = await generateLeaf({
      caPem: ca.certificatePem,
      caKeyPem: ca.privateKeyPem,
      organization: 'My Org',
      nowMs: NOW_MS,
    });
    const verdict = verifyClientCertificate(
      dersOf(made.certificatePem),
      parseStoredCaBundle(ca.certificatePem),
      [],
      NOW_MS,
    );
    assertAdmitted(verdict);
    assert.equal(verdict.admitted && verdict.identity.subject, 'O=My Org,OU=');
  });

  it('a service certificate of an internal CA is admitted when it has clientAuth and refused without', async () => {
    const ca = await generateInternalCa({ commonName: 'internal', validityMs: DAY_MS, nowMs: NOW_MS });
    const make = (usages: ('serverAuth' | 'clientAuth')[]) =>
      generateServiceCertificate({
        ca,
        commonName: 'x',
        dnsNames: ['x'],
        usages,
        validityMs: HOUR_MS,
        nowMs: NOW_MS,
      });
    const internal = parseStoredCaBundle(ca.certificatePem);
    const both = dersOf((await make(['serverAuth', 'clientAuth'])).certificatePem);
    const serverOnly = dersOf((await make(['serverAuth'])).certificatePem);
    assertAdmitted(verifyClientCertificate(both, internal, [], NOW_MS));
    assertRefused(verifyClientCertificate(serverOnly, internal, [], NOW_MS), 'not_a_client_certificate');
  });

  it('an intermediate may come from the handshake or from the bundle', async () => {
    const middle = await makeCa('middle', { signer: root });
    const below = await makeCertificate({ subject: 'worker', signer: middle });
    assertAdmitted(verify([below, middle], bundle));
    assertAdmitted(verify([below], bundleOf(root, middle)));
    assertRefused(verify([below], bundle), 'unknown_ca');
  });

  it('presented certificates that are unreadable or not needed change nothing', async () => {
    const stranger = await makeCa('stranger');
    const chain = [leaf.der, stranger.der, root.der, new Uint8Array([1, 2, 3])];
    assert.equal(verifyClientCertificate(chain, bundle, [], NOW_MS).admitted, true);
  });

  it('two CAs of one name in a bundle, as while a CA is renewed, both admit their leaves', async () => {
    const renewed = await makeCa('root');
    const other = await makeCertificate({ subject: 'worker', signer: renewed });
    assertAdmitted(verify([leaf], bundleOf(renewed, root)));
    assertAdmitted(verify([other], bundleOf(root, renewed)));
  });

  it('RSA, P-384 and P-521 are admitted with SHA-256 or better', async () => {
    const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
    const algorithms = [
      { ...rsa, name: 'RSASSA-PKCS1-v1_5' },
      { name: 'ECDSA', namedCurve: 'P-384' },
      { name: 'ECDSA', namedCurve: 'P-521' },
    ];
    for (const algorithm of algorithms) {
      const ca = await makeCa('ca', { algorithm, hash: 'SHA-384' });
      assertAdmitted(verify([await makeCertificate({ subject: 'worker', signer: ca })], bundleOf(ca)));
    }
  });
});

describe('RSASSA-PSS', () => {
  it('a PSS signature is admitted with SHA-256 throughout and refused with the SHA-1 of its defaults', () => {
    const folder = openOpensslFolder();
    try {
      folder.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ca.key');
      folder.run('req -x509 -new -key ca.key -subj /CN=ca -days 30 -out ca.pem');
      folder.run('req -new -key ca.key -subj /CN=worker -out leaf.csr');
      folder.write('leaf.ext', 'basicConstraints=CA:false\n');
      const sign = (options: string) => {
        folder.run(
          'x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile leaf.ext ' +
            `-sigopt rsa_padding_mode:pss ${options} -out leaf.pem`,
        );
        const authority = parseStoredCaBundle(folder.read('ca.pem'));
        return verifyClientCertificate(dersOf(folder.read('leaf.pem')), authority, [], Date.now());
      };
      assertAdmitted(sign('-sha256'));
      assertRefused(sign('-sha1'), 'weak_algorithm');
      for (const hash of ['sha1', 'sha384'])
        assertRefused(sign(`-sha256 -sigopt rsa_mgf1_md:${hash}`), 'weak_algorithm');
    } finally {
      folder.close();
    }
  });
});

describe('time', () => {
  it('T-012 a certificate is refused before its time and after it, and admitted in its last second', () => {
    assertAdmitted(verify([leaf], bundle, NOW_MS + 30 * DAY_MS));
    assertRefused(verify([leaf], bundle, NOW_MS + 30 * DAY_MS + 1), 'expired');
    assertRefused(verify([leaf], bundle, NOW_MS - DAY_MS - 1), 'not_yet_valid');
  });

  it('T-012 an expired CA invalidates what it signed, and says until when a verdict holds', async () => {
    const short = await makeCa('short', { notAfterMs: NOW_MS + HOUR_MS });
    const longer = await makeCertificate({ subject: 'worker', signer: short });
    const verdict = verify([longer], bundleOf(short));
    assert.equal(verdict.admitted && verdict.identity.admittedUntilMs, NOW_MS + HOUR_MS);
    assertRefused(verify([longer], bundleOf(short), NOW_MS + HOUR_MS + 1), 'issuer_expired');
  });

  it('T-012 an expired root invalidates also what hangs on an intermediate of the bundle', async () => {
    const old = await makeCa('old', { notAfterMs: NOW_MS - 1000 });
    const middle = await makeCa('middle', { signer: old });
    const below = await makeCertificate({ subject: 'worker', signer: middle });
    assertRefused(verify([below], bundleOf(old, middle)), 'issuer_expired');
  });
});
