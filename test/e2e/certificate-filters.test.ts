import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CertificateFilter } from '../../packages/gatehouse/src/base/model/certificate-filter.ts';
import {
  type MadeCertificate,
  makeCa,
  makeCertificate,
  openOpensslFolder,
  type Recipe,
} from '../../packages/gatehouse/src/base/pki/testing-certificates.test.ts';
import { addNamespace } from '../../packages/gatehouse/src/testing/add-namespace.ts';
import {
  type AttackSite,
  assertRefused,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  credentialOf,
  keyPemOf,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';

// threats.md T-014 and T-015, on the wire. What an upload is told is base/pki's own suite: the control plane,
// which will take uploads, is a later issue. Here: what stands in the directory, whoever put it there, lets in
// no more than it says.

const DAY_MS = 86_400_000;
const now = Date.now();
const times = { notBeforeMs: now - DAY_MS, notAfterMs: now + 30 * DAY_MS };
const SUBJECT = 'subjects.local';
const NAMES = 'names.local';
const ANY = 'any.local';
const BUNDLE = 'bundle.local';

let site: AttackSite;
let root: MadeCertificate;

before(async () => {
  site = await startAttackSite();
  root = await makeCa('root', times);
  const add = (id: string, certificateFilters: readonly CertificateFilter[] = []) =>
    addNamespace(site.house, { id, caPem: root.pem, certificateFilters });
  await add(SUBJECT, [{ commonName: 'good', organization: 'Acme' }]);
  await add(NAMES, [{ subjectAlternativeName: 'a.example.com' }]);
  await add(ANY);
  await add(BUNDLE);
  await site.engine.settle();
});
after(() => site.close());

type Shown = Pick<Recipe, 'subject' | 'names'>;

async function shown(recipe: Shown): Promise<ClientCredential> {
  return credentialOf(await makeCertificate({ signer: root, ...times, ...recipe }));
}

/** Calls once with each certificate: some are let in, the others get D on an open connection, as in the Cloud. */
async function admitsOnly(
  id: string,
  admitted: Readonly<Record<string, ClientCredential>>,
  others: Readonly<Record<string, ClientCredential>>,
): Promise<void> {
  await site.engine.saw({ [counterOf('DescribeNamespace', id)]: Object.keys(admitted).length }, async () => {
    for (const [name, credential] of Object.entries(admitted)) {
      const answer = await describe(site.open(id, credential), id);
      assert.equal(answer.status, 0, `${name}: ${answer.message}${answer.failure}`);
    }
    for (const [name, credential] of Object.entries(others)) {
      const answer = await describe(site.open(id, credential), id);
      assert.equal(answer.status, 7, `${name}: ${answer.status} ${answer.failure}`);
      await assertRefused(site, answer, { code: 'certificate_filter_mismatch', record: { namespace: id } });
    }
  });
}

const utf8 = (text: string) => ({ utf8String: text });
const acme = { O: [utf8('Acme')] };
const named = (value: Record<string, string>): Shown => ({ subject: [acme, { CN: [value] }] });

test('T-015a a filter matches the whole text in any of its encodings, and no other text', async () => {
  const admitted = {
    exact: await shown(named(utf8('good'))),
    otherCase: await shown(named(utf8('GOOD'))),
    printable: await shown(named({ printableString: 'Good' })),
    bmp: await shown(named({ bmpString: 'good' })),
  };
  const others = {
    leadingSpace: await shown(named(utf8(' good'))),
    trailingSpace: await shown(named(utf8('good '))),
    nul: await shown(named(utf8('good\0.evil'))),
    cyrillic: await shown(named(utf8('gооd'))),
    fullWidth: await shown(named(utf8('ｇｏｏｄ'))),
    byteOrderMark: await shown(named({ bmpString: '\ufeffgood' })),
    longer: await shown(named(utf8('goodness'))),
  };
  await admitsOnly(SUBJECT, admitted, others);
});

test('T-015a an attribute that stands twice is ambiguous, and every attribute of a filter must match', async () => {
  const admitted = { exact: await shown(named(utf8('good'))) };
  const others = {
    twoNames: await shown({ subject: [acme, { CN: [utf8('good')] }, { CN: [utf8('evil')] }] }),
    twoInOne: await shown({ subject: [acme, { CN: [utf8('good'), utf8('evil')] }] }),
    sameTwice: await shown({ subject: [acme, { CN: [utf8('good')] }, { CN: [utf8('good')] }] }),
    otherOrganization: await shown({ subject: [{ O: [utf8('Other')] }, { CN: [utf8('good')] }] }),
    noOrganization: await shown({ subject: [{ CN: [utf8('good')] }] }),
    swapped: await shown({ subject: [{ O: [utf8('good')] }, { CN: [utf8('Acme')] }] }),
  };
  await admitsOnly(SUBJECT, admitted, others);
});

test('T-015b a filter on a DNS name meets no name of another kind, and a wildcard is a literal', async () => {
  const name = (type: 'dns' | 'url' | 'email' | 'dn', value: string): Shown => ({
    subject: 'x',
    names: [{ type, value }],
  });
  const admitted = {
    exact: await shown(name('dns', 'a.example.com')),
    otherCase: await shown(name('dns', 'A.Example.Com')),
  };
  const others = {
    url: await shown(name('url', 'a.example.com')),
    email: await shown(name('email', 'a.example.com')),
    directory: await shown(name('dn', 'CN=a.example.com')),
    otherName: otherNamed('a.example.com'),
    wildcard: await shown(name('dns', '*.example.com')),
    below: await shown(name('dns', 'a.example.com.evil.test')),
    commonName: await shown({ subject: 'a.example.com' }),
  };
  await admitsOnly(NAMES, admitted, others);
});

/** A leaf of the root with an otherName, which the library cannot write. */
function otherNamed(text: string): ClientCredential {
  const folder = openOpensslFolder();
  try {
    folder.write('ca.pem', root.pem);
    folder.write('ca.key', keyPemOf(root));
    folder.write('leaf.ext', `subjectAltName=otherName:1.2.3.4;IA5STRING:${text}\n`);
    folder.run('req -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=x -out leaf.csr');
    folder.run('x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days 9 -extfile leaf.ext -out leaf.pem');
    return { cert: folder.read('leaf.pem'), key: folder.read('leaf.key') };
  } finally {
    folder.close();
  }
}

test('T-015c an empty list of filters lets in every leaf of the CA, and a filter without a field is not stored', async () => {
  const { directory } = site.house.up.platform;
  for (const filters of [[{}], [{ commonName: 'good' }, {}]])
    await assert.rejects(directory.write.setCertificateFilters(SUBJECT, filters), { code: 'input_invalid' });
  assert.deepEqual(directory.snapshot().namespaces.get(SUBJECT)?.certificateFilters, [
    { commonName: 'good', organization: 'Acme' },
  ]);
  const anybody = await shown({ subject: 'anybody' });
  await admitsOnly(ANY, { anybody, nameless: await shown({ subject: [] }) }, {});
  await admitsOnly(SUBJECT, {}, { anybody });
});

/** Isolates the bundle: the same leaf and host throughout, and a bundle that was stored past every check. */
test('T-014 a faulty bundle in the directory lets nobody in by its faults, ends nothing, and shows no key', async () => {
  const { write } = site.house.up.platform.directory;
  const credential = await shown({ subject: 'worker' });
  const leaf = await makeCertificate({ subject: 'anchor', signer: root, ...times });
  const belowLeaf = credentialOf(await makeCertificate({ subject: 'below', signer: leaf, ...times }), leaf);
  const old = await makeCa('old', { notBeforeMs: now - 2 * DAY_MS, notAfterMs: now - DAY_MS });
  const belowOld = credentialOf(await makeCertificate({ subject: 'below', signer: old, ...times }));
  const key = keyPemOf(root);
  const useless: readonly (readonly [string, string, ClientCredential])[] = [
    ['a leaf, used by itself', leaf.pem, credentialOf(leaf)],
    ['a leaf, used as a CA', leaf.pem, belowLeaf],
    ['an expired CA', old.pem, belowOld],
    ['a private key', key, credential],
    ['no PEM', 'trailing garbage', credential],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n', credential],
    ['half a certificate', root.pem.slice(0, 300), credential],
  ];
  await site.engine.sawNothing(async () => {
    for (const [name, pem, shownOne] of useless) {
      await write.setCaBundle(BUNDLE, pem);
      const attempt = await site.handshake(BUNDLE, shownOne);
      assert.notEqual(attempt.ended, 'served', name);
    }
    await assert.rejects(write.setCaBundle(BUNDLE, root.pem.repeat(200)), { code: 'input_invalid' });
  });
  const twice = root.pem + root.pem;
  for (const pem of [twice, `${root.pem}trailing garbage`, root.pem]) {
    await write.setCaBundle(BUNDLE, pem);
    await admitsOnly(BUNDLE, { credential }, {});
  }
  const said = `${site.house.logLines.join('\n')}${JSON.stringify(await site.house.events())}`;
  assert.doesNotMatch(said, /PRIVATE KEY/);
  assert.ok(!said.includes(key.split('\n')[1] ?? key), 'the key is in a log or a record');
});
