import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DerReader, tags } from '../../packages/gatehouse/src/base/pki/der.ts';
import { writePem } from '../../packages/gatehouse/src/base/pki/pem.ts';
import {
  type MadeCertificate,
  makeCa,
  makeCertificate,
  makeKeys,
  type OpensslFolder,
  openOpensslFolder,
  type Recipe,
} from '../../packages/gatehouse/src/base/pki/testing-certificates.test.ts';
import {
  ExtendedKeyUsage,
  Extension,
  KeyUsageFlags,
} from '../../packages/gatehouse/src/base/pki/x509-library.ts';
import { addNamespace } from '../../packages/gatehouse/src/testing/add-namespace.ts';
import {
  type AttackSite,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  credentialOf,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';

// threats.md T-013: chains that must not hold. Every leaf here is signed, at some remove, by the key of a CA in
// the namespace's bundle, so only the rule that a case names can refuse it. The runtime closes without a byte
// where the rows say ALERT(unknown_ca) or ALERT(bad_certificate). Which of the two checks refuses, OpenSSL's or
// our own, is not asserted: either may be first. That an upload refuses the same CAs is shown in base/pki.

const DAY_MS = 86_400_000;
const ID = 'chains.local';
const now = Date.now();
const times = { notBeforeMs: now - DAY_MS, notAfterMs: now + 30 * DAY_MS };
/** Hostile chains are judged in bounded time: a handshake takes a few milliseconds. */
const JUDGED_MS = 2000;

let site: AttackSite;
let root: MadeCertificate;
let roots: {
  readonly short: MadeCertificate;
  readonly bare: MadeCertificate;
  readonly crlOnly: MadeCertificate;
};
/** Holds the keys of the two other roots, `rsa` and `named`. */
let openssl: OpensslFolder;

before(async () => {
  openssl = openOpensslFolder();
  site = await startAttackSite();
  root = await makeCa('root', times);
  const short = await makeCa('short', { ...times, pathLength: 0 });
  const bare = await makeCa('bare', { ...times, ca: null });
  const crlOnly = await makeCa('crl only', { ...times, keyUsage: KeyUsageFlags.cRLSign });
  roots = { short, bare, crlOnly };
  openssl.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key');
  openssl.run('req -x509 -new -key rsa.key -subj /CN=rsa -days 30 -out rsa.pem');
  openssl.run('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out named.key');
  openssl.run(
    'req -x509 -new -key named.key -subj /CN=named -days 30 -out named.pem ' +
      '-addext nameConstraints=critical,permitted;DNS:example.com',
  );
  const bundle = [root, short, bare, crlOnly].map(({ pem }) => pem);
  const caPem = [...bundle, openssl.read('rsa.pem'), openssl.read('named.pem')].join('');
  await addNamespace(site.house, { id: ID, caPem });
  await site.engine.settle();
});
after(async () => {
  await site.close();
  openssl.close();
});

function leafOf(signer: MadeCertificate, recipe: Partial<Recipe> = {}): Promise<MadeCertificate> {
  return makeCertificate({ subject: 'worker', signer, ...times, ...recipe });
}

/** A leaf that openssl makes, below one of its CAs. @param options of `openssl x509 -req`. */
function opensslLeaf(issuer: string, key: string, extensions: string, options = '-sha256'): ClientCredential {
  openssl.write('leaf.ext', `basicConstraints=CA:false\n${extensions}`);
  openssl.run(`req -new -key ${key}.key -subj /CN=worker -out leaf.csr`);
  openssl.run(
    `x509 -req -in leaf.csr -CA ${issuer}.pem -CAkey ${issuer}.key -CAcreateserial -days 9 -extfile leaf.ext ${options} -out leaf.pem`,
  );
  return { cert: openssl.read('leaf.pem'), key: openssl.read(`${key}.key`) };
}

/** Each is refused in TLS, or closed by our own check right after it: once recorded, and never to the engine. */
async function refusesEach(cases: Readonly<Record<string, ClientCredential>>): Promise<void> {
  await site.engine.sawNothing(async () => {
    for (const [name, credential] of Object.entries(cases)) {
      // What a hostile client shows is not limited by its own library's taste.
      const attempt = await site.handshake(ID, credential, { ciphers: 'DEFAULT:@SECLEVEL=0' });
      assert.notEqual(attempt.ended, 'served', `${name}: the gateway spoke to this client`);
      assert.ok(attempt.tookMs < JUDGED_MS, `${name}: judged in ${attempt.tookMs} ms`);
      const record = { kind: 'connection', outcome: 'refused', principal: 'anonymous', namespace: ID };
      await expectOneRecord(site.house, attempt, {
        ...record,
        reason: /^(certificate_not_admitted|tls_handshake_failed)$/,
      });
    }
  });
}

test('each root of the bundle lets in a sound leaf of its own, so that the cases below isolate their rule', async () => {
  const upper = await makeCa('upper', { ...times, signer: root });
  const lower = await makeCa('lower', { ...times, signer: upper });
  const sound = {
    root: credentialOf(await leafOf(root)),
    // The intermediates come with the handshake alone.
    lower: credentialOf(await leafOf(lower), lower, upper),
    short: credentialOf(await leafOf(roots.short)),
    rsa: opensslLeaf('rsa', 'rsa', ''),
    named: opensslLeaf('named', 'named', 'subjectAltName=DNS:a.example.com\n'),
  };
  await site.engine.saw({ [counterOf('DescribeNamespace', ID)]: Object.keys(sound).length }, async () => {
    for (const [name, credential] of Object.entries(sound)) {
      const answer = await describe(site.open(ID, credential), ID);
      assert.equal(answer.status, 0, `${name}: ${answer.failure}`);
    }
  });
});

test('T-013a a leaf used as a CA is refused', async () => {
  const leaf = await leafOf(root);
  const below = await leafOf(leaf, { subject: 'below' });
  await refusesEach({ sent: credentialOf(below, leaf), alone: credentialOf(below) });
});

test('T-013a a CA without basicConstraints is refused, in the bundle and in the chain', async () => {
  const middle = await makeCa('bare middle', { ...times, ca: null, signer: root });
  await refusesEach({
    root: credentialOf(await leafOf(roots.bare)),
    middle: credentialOf(await leafOf(middle), middle),
  });
});

test('T-013a a path longer than a CA above it allows is refused', async () => {
  const middle = await makeCa('middle', { ...times, signer: roots.short });
  await refusesEach({ middle: credentialOf(await leafOf(middle), middle) });
});

test('T-013a a CA whose keyUsage lacks keyCertSign is refused, in the bundle and in the chain', async () => {
  const middle = await makeCa('signing middle', {
    ...times,
    signer: root,
    keyUsage: KeyUsageFlags.digitalSignature,
  });
  await refusesEach({
    root: credentialOf(await leafOf(roots.crlOnly)),
    middle: credentialOf(await leafOf(middle), middle),
  });
});

test('T-013a a CA certificate that acts as a client is refused', async () => {
  await refusesEach({
    root: credentialOf(root),
    middle: credentialOf(await makeCa('client ca', { ...times, signer: root })),
  });
});

test('T-013b a certificate for servers only, or below a CA for servers only, is refused', async () => {
  const extendedKeyUsage = [ExtendedKeyUsage.serverAuth];
  const middle = await makeCa('servers', { ...times, signer: root, extendedKeyUsage });
  await refusesEach({
    leaf: credentialOf(await leafOf(root, { extendedKeyUsage })),
    middle: credentialOf(await leafOf(middle), middle),
  });
});

test('T-013b a critical extension that nobody knows is refused, on the leaf and on a CA', async () => {
  const unknown = new Extension('1.3.6.1.4.1.99999.1', true, new Uint8Array([5, 0]));
  const middle = await makeCa('odd', { ...times, signer: root, extensions: [unknown] });
  await refusesEach({
    leaf: credentialOf(await leafOf(root, { extensions: [unknown] })),
    middle: credentialOf(await leafOf(middle), middle),
  });
});

test('T-013b a name outside the name constraints of its CA is refused', async () => {
  await refusesEach({
    other: opensslLeaf('named', 'named', 'subjectAltName=DNS:a.example.org\n'),
    both: opensslLeaf('named', 'named', 'subjectAltName=DNS:a.example.com,DNS:b.test\n'),
  });
});

/** Isolates length: every link of the long chain is sound. 1,000 certificates pass OpenSSL's limit of bytes. */
test('T-013b chains of 11, 150 and 1,000 certificates are refused in bounded time', async () => {
  const keys = await makeKeys();
  const chain = [root];
  const cases: Record<string, ClientCredential> = {};
  for (let depth = 1; depth <= 1000; depth += 1) {
    const signer = chain.at(-1) ?? root;
    chain.push(await makeCertificate({ subject: `depth ${depth}`, signer, keys, ca: true, ...times }));
    if (![10, 150, 1000].includes(depth)) continue;
    const lowest = chain.at(-1) ?? root;
    cases[`${depth}`] = credentialOf(await leafOf(lowest), ...chain.slice(1).reverse());
  }
  await refusesEach(cases);
});

test('T-013b a chain that runs in a circle is refused in bounded time', async () => {
  const keys = await makeKeys();
  const [a, b] = [await makeCa('a', { ...times, keys }), await makeCa('b', { ...times, keys })];
  const circle = [
    await makeCa('a', { ...times, signer: b, keys }),
    await makeCa('b', { ...times, signer: a, keys }),
  ];
  const worker = await leafOf(a);
  await refusesEach({
    circle: credentialOf(worker, ...circle, ...circle),
    withRoot: credentialOf(worker, ...circle, root),
  });
});

test('T-013c signatures with SHA-1 and MD5 are refused', async () => {
  await refusesEach({
    sha1: opensslLeaf('rsa', 'rsa', '', '-sha1'),
    md5: opensslLeaf('rsa', 'rsa', '', '-md5'),
    ecdsaSha1: credentialOf(await leafOf(root, { hash: 'SHA-1' })),
  });
});

test('T-013c keys of RSA 1024 and on odd curves are refused, on the leaf and on a CA', async () => {
  openssl.run('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key');
  openssl.run('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out koblitz.key');
  openssl.run('genpkey -algorithm ED25519 -out ed.key');
  const below = (ca: string): ClientCredential => {
    openssl.write('ca.ext', 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n');
    openssl.run(`req -new -key ${ca}.key -subj /CN=${ca} -out ca.csr`);
    openssl.run(`x509 -req -in ca.csr -CA rsa.pem -CAkey rsa.key -days 9 -extfile ca.ext -out ${ca}.pem`);
    const leaf = opensslLeaf(ca, 'rsa', '');
    return { ...leaf, cert: leaf.cert + openssl.read(`${ca}.pem`) };
  };
  await refusesEach({
    smallLeaf: opensslLeaf('rsa', 'small', ''),
    smallCa: below('small'),
    // TLS 1.3 has no signature on this curve, so that a leaf with it is never even shown.
    koblitzCa: below('koblitz'),
    ed25519: opensslLeaf('rsa', 'ed', ''),
  });
});

/** Isolates the signature's bytes: everything that was signed is untouched. */
test('T-013c a signature in a malformed encoding is refused', async () => {
  const leaf = await leafOf(root);
  const der = Buffer.from(leaf.der);
  const fields = new DerReader(der).enter(tags.sequence);
  fields.readAny();
  fields.readAny();
  // BIT STRING { unused bits, SEQUENCE { INTEGER r, INTEGER s } }
  const { content } = fields.read(tags.bitString);
  const begins = content.byteOffset - der.byteOffset;
  const altered = (at: number, mask: number): ClientCredential => {
    const changed = Buffer.from(der);
    changed[at] = (changed[at] ?? 0) ^ mask;
    return { ...credentialOf(leaf), cert: writePem('CERTIFICATE', changed) };
  };
  await refusesEach({
    unusedBits: altered(begins, 0x07),
    sequenceTag: altered(begins + 1, 0x01),
    sequenceLength: altered(begins + 2, 0x01),
    integerTag: altered(begins + 3, 0x02),
    integerSign: altered(begins + 5, 0x80),
    lastBit: altered(der.length - 1, 0x01),
  });
});
