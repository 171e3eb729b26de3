import { describe, it } from 'node:test';
import { parseStoredCaBundle } from './ca-bundle.ts';
import type { CertificateFault } from './certificate-fault.ts';
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
import {
  type MadeCertificate,
  makeCa,
  makeCertificate,
  makeKeys,
  openOpensslFolder,
} from './testing-certificates.test.ts';
import { ExtendedKeyUsage, Extension, KeyUsageFlags } from './x509-library.ts';

describe('T-011 the signature decides, never the name', () => {
  it('T-011 a leaf of another CA is refused', async () => {
    const foreign = await makeCa('foreign');
    const stranger = await makeCertificate({ subject: 'worker', signer: foreign });
    assertRefused(verify([stranger], bundle), 'unknown_ca');
    assertRefused(verify([stranger, foreign], bundle), 'unknown_ca');
  });

  it('T-011 a look-alike CA of the same name is refused, presented or not', async () => {
    const lookAlike = await makeCa('root');
    const stranger = await makeCertificate({ subject: 'worker', signer: lookAlike });
    assertRefused(verify([stranger], bundle), 'unknown_ca');
    assertRefused(verify([stranger, lookAlike], bundle), 'unknown_ca');
  });

  it('T-011 a self-signed leaf that names the CA as its issuer is refused', async () => {
    const forged = await makeCertificate({ subject: 'worker', issuerName: root.name });
    assertRefused(verify([forged], bundle), 'unknown_ca');
    assertRefused(verify([await makeCertificate({ subject: 'root' })], bundle), 'unknown_ca');
  });

  it('T-011 the empty bundle admits nobody', () => {
    assertRefused(verify([leaf], parseStoredCaBundle('')), 'unknown_ca');
    assertRefused(verify([leaf, root], parseStoredCaBundle('')), 'unknown_ca');
  });

  it('T-011 an intermediate in the bundle without its root admits nobody', async () => {
    const middle = await makeCa('middle', { signer: root });
    const below = await makeCertificate({ subject: 'worker', signer: middle });
    assertRefused(verify([below], bundleOf(middle)), 'unknown_ca');
  });
});

describe('T-013 chains that must not hold', () => {
  it('T-013 a leaf used as a CA is refused', async () => {
    const below = await makeCertificate({ subject: 'below', signer: leaf });
    assertRefused(verify([below, leaf], bundle), 'issuer_not_a_ca');
  });

  it('T-013 a CA without basicConstraints or without keyCertSign is refused', async () => {
    const bare = await makeCa('bare', { ca: null });
    const crlOnly = await makeCa('crl', { keyUsage: KeyUsageFlags.cRLSign });
    for (const ca of [bare, crlOnly]) {
      const middle = await makeCertificate({ subject: 'worker', signer: ca });
      assertRefused(verify([middle], bundleOf(ca)), 'issuer_not_a_ca');
    }
  });

  it('T-013 a CA certificate presented as a client is refused', async () => {
    const ca = await makeCa('worker ca', { signer: root });
    assertRefused(verify([ca], bundle), 'not_a_client_certificate');
    assertRefused(verify([root], bundle), 'not_a_client_certificate');
    const signing = await makeCertificate({ subject: 'worker ca', signer: root, ca: true });
    assertRefused(verify([signing], bundle), 'not_a_client_certificate');
  });

  it('T-013 the path length of every CA above is respected', async () => {
    const limited = await makeCa('limited', { pathLength: 0 });
    const middle = await makeCa('middle', { signer: limited });
    const direct = await makeCertificate({ subject: 'worker', signer: limited });
    const below = await makeCertificate({ subject: 'worker', signer: middle });
    assertAdmitted(verify([direct], bundleOf(limited)));
    assertRefused(verify([below, middle], bundleOf(limited)), 'path_too_long');
  });

  it('T-013 usages of the leaf are respected where they are present', async () => {
    const make = (recipe: object) => makeCertificate({ subject: 'worker', signer: root, ...recipe });
    assertRefused(
      verify([await make({ extendedKeyUsage: [ExtendedKeyUsage.serverAuth] })], bundle),
      'not_a_client_certificate',
    );
    assertRefused(
      verify([await make({ keyUsage: KeyUsageFlags.keyEncipherment })], bundle),
      'not_a_client_certificate',
    );
    assertAdmitted(verify([await make({ extendedKeyUsage: ['2.5.29.37.0'] })], bundle));
    assertAdmitted(verify([await make({ keyUsage: KeyUsageFlags.digitalSignature })], bundle));
    assertAdmitted(verify([await make({ ca: null, names: [{ type: 'dns', value: 'x' }] })], bundle));
  });

  it('T-013 a CA for servers only cannot sign clients', async () => {
    const ca = await makeCa('servers', { extendedKeyUsage: [ExtendedKeyUsage.serverAuth] });
    assertRefused(
      verify([await makeCertificate({ subject: 'worker', signer: ca })], bundleOf(ca)),
      'issuer_not_for_clients',
    );
  });

  it('T-013 an unknown critical extension is refused on the leaf and on a CA, and ignored when not critical', async () => {
    const unknown = (critical: boolean) =>
      new Extension('1.3.6.1.4.1.99999.1', critical, new Uint8Array([5, 0]));
    const make = (critical: boolean) =>
      makeCertificate({ subject: 'worker', signer: root, extensions: [unknown(critical)] });
    assertRefused(verify([await make(true)], bundle), 'critical_extension_unknown');
    assertAdmitted(verify([await make(false)], bundle));
    const ca = await makeCa('odd', { extensions: [unknown(true)] });
    assertRefused(
      verify([await makeCertificate({ subject: 'worker', signer: ca })], bundleOf(ca)),
      'critical_extension_unknown',
    );
  });

  it('T-013 an extension that occurs twice is refused', async () => {
    const twice = new Extension('1.3.6.1.4.1.99999.1', false, new Uint8Array([5, 0]));
    const odd = await makeCertificate({ subject: 'worker', signer: root, extensions: [twice, twice] });
    assertRefused(verify([odd], bundle), 'malformed');
  });

  it('two certificates of one name in a chain are refused, whatever the case', async () => {
    const same = await makeCertificate({ subject: 'ROOT', signer: root });
    assertRefused(verify([same], bundle), 'name_repeated');
  });

  it('T-013 weak keys are refused on the leaf and on the CA', async () => {
    const algorithm = {
      name: 'RSASSA-PKCS1-v1_5',
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: 'SHA-256',
    };
    const weak = await makeCertificate({ subject: 'worker', signer: root, algorithm });
    assertRefused(verify([weak], bundle), 'weak_algorithm');
    const ca = await makeCa('weak', { algorithm });
    assertRefused(
      verify([await makeCertificate({ subject: 'worker', signer: ca })], bundleOf(ca)),
      'weak_algorithm',
    );
  });

  it('T-013 a signature with SHA-1 is refused', async () => {
    const weak = await makeCertificate({ subject: 'worker', signer: root, hash: 'SHA-1' });
    assertRefused(verify([weak], bundle), 'weak_algorithm');
  });

  it('T-013 MD5, odd curves, explicit curve parameters, Ed25519 and X.509 version 1 are refused', () => {
    const folder = openOpensslFolder();
    try {
      const selfSigned = (name: string, options = '') => {
        folder.run(
          `req -x509 -new -key ${name}.key -subj /CN=${name} -days 30 -out ${name}.pem ${options}`.trim(),
        );
        return dersOf(folder.read(`${name}.pem`));
      };
      folder.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out md5.key');
      folder.run('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out koblitz.key');
      folder.run(
        'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -out explicit.key',
      );
      folder.run('genpkey -algorithm ED25519 -out ed.key');
      folder.run('req -new -key md5.key -subj /CN=v1 -out v1.csr');
      folder.run('x509 -req -in v1.csr -signkey md5.key -days 30 -out v1.pem');
      const cases: [Uint8Array[], CertificateFault][] = [
        [selfSigned('md5', '-md5'), 'weak_algorithm'],
        [selfSigned('koblitz'), 'weak_algorithm'],
        [selfSigned('explicit'), 'weak_algorithm'],
        [selfSigned('ed'), 'weak_algorithm'],
        [dersOf(folder.read('v1.pem')), 'not_version_3'],
      ];
      for (const [chain, reason] of cases)
        assertRefused(verifyClientCertificate(chain, bundle, [], Date.now()), reason);
    } finally {
      folder.close();
    }
  });

  it('T-013 names outside the name constraints of a CA are refused, inside them admitted', () => {
    const folder = openOpensslFolder();
    try {
      folder.run('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key');
      folder.run(
        'req -x509 -new -key ca.key -subj /CN=ca -days 30 -out ca.pem ' +
          '-addext nameConstraints=critical,permitted;DNS:example.com,excluded;DNS:bad.example.com,excluded;IP:10.0.0.0/255.0.0.0',
      );
      const make = (san: string) => {
        folder.write('leaf.ext', `subjectAltName=${san}\nbasicConstraints=CA:false\n`);
        folder.run('req -new -key ca.key -subj /CN=worker -out leaf.csr');
        folder.run(
          'x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile leaf.ext -out leaf.pem',
        );
        const constrained = parseStoredCaBundle(folder.read('ca.pem'));
        return verifyClientCertificate(dersOf(folder.read('leaf.pem')), constrained, [], Date.now());
      };
      assertAdmitted(make('DNS:a.example.com'));
      assertAdmitted(make('DNS:example.com,IP:192.0.2.1,URI:https://elsewhere.test/'));
      for (const san of [
        'DNS:example.org',
        'DNS:a.bad.example.com',
        'DNS:a.example.com,DNS:x.test',
        'IP:10.1.2.3',
      ])
        assertRefused(make(san), 'name_not_permitted');
    } finally {
      folder.close();
    }
  });

  it('T-013 a chain of more than ten certificates is refused, presented or found', async () => {
    const keys = await makeKeys();
    const chain = [root];
    for (let depth = 0; depth < 10; depth += 1)
      chain.push(await makeCa(`depth ${depth}`, { signer: chain.at(-1) ?? root, keys }));
    const below = await makeCertificate({ subject: 'worker', signer: chain.at(-1) ?? root });
    const presented = [below, ...chain.toReversed()];
    assertRefused(verify(presented, bundle), 'chain_too_long');
    assertRefused(verify([below], bundleOf(...chain)), 'chain_too_long');
  });

  it('T-013 a cyclic chain is refused', async () => {
    const keys = await makeKeys();
    const [a, b] = [await makeCa('a', { keys }), await makeCa('b', { keys })];
    const circle = [await makeCa('a', { signer: b, keys }), await makeCa('b', { signer: a, keys })];
    const worker = await makeCertificate({ subject: 'worker', signer: a });
    assertRefused(verify([worker, ...circle], bundle), 'unknown_ca');
  });

  it('T-013 a chain that branches at every step is refused after a bounded number of signatures', async () => {
    const keys = await makeKeys();
    const named = async (name: string) => await makeCa(name, { keys });
    const [a, b, c, d] = [await named('a'), await named('b'), await named('c'), await named('d')];
    const branching: MadeCertificate[] = [];
    for (const [name, signer] of [
      ['a', b],
      ['b', c],
      ['c', d],
    ] as const)
      for (let copy = 0; copy < 3; copy += 1) branching.push(await makeCa(name, { signer, keys }));
    const worker = await makeCertificate({ subject: 'worker', signer: a });
    assertRefused(verify([worker, ...branching], bundle), 'chain_too_complex');
  });
});
