import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type MadeCertificate,
  makeCa,
  makeCertificate,
  type Recipe,
} from '../../packages/gatehouse/src/base/pki/testing-certificates.test.ts';
import {
  AuthorityKeyIdentifierExtension,
  SubjectKeyIdentifierExtension,
} from '../../packages/gatehouse/src/base/pki/x509-library.ts';
import { addNamespace } from '../../packages/gatehouse/src/testing/add-namespace.ts';
import {
  type AttackSite,
  assertRefused,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { credentialOf, homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';
import type { RecordedEvent } from '../../packages/gatehouse/src/testing/house.ts';

// threats.md 3.2: who gets in by a client certificate, and who does not. The runtime cannot send the alerts
// `unknown_ca` and `certificate_expired`: it closes without a byte. So every test asserts that the first read
// fails and that nothing reached the engine, which section 1 counts as the same answer.

const DAY_MS = 86_400_000;
const BUNDLE = 'certs.local';
const now = Date.now();
const times = { notBeforeMs: now - DAY_MS, notAfterMs: now + 30 * DAY_MS };
const KEY_ID = 'a1b2c3d4e5f60718293a4b5c6d7e8f9001122334';

let site: AttackSite;
let root: MadeCertificate;

before(async () => {
  site = await startAttackSite(['other']);
  const keyId = new SubjectKeyIdentifierExtension(KEY_ID);
  root = await makeCa('customer root', { ...times, extensions: [keyId] });
  await addNamespace(site.house, { id: BUNDLE, caPem: root.pem });
  await site.engine.settle();
});
after(() => site.close());

function leafOf(signer: MadeCertificate, recipe: Partial<Recipe> = {}): Promise<MadeCertificate> {
  return makeCertificate({ subject: 'worker', signer, ...times, ...recipe });
}

test('a certificate of the bundle is let in, and its identity is recorded with the call', async () => {
  const leaf = await leafOf(root);
  await site.engine.saw({ [counterOf('DescribeNamespace', BUNDLE)]: 1 }, async () => {
    const answer = await describe(site.open(BUNDLE, credentialOf(leaf)), BUNDLE);
    assert.equal(answer.status, 0, answer.failure);
    const requestId = String(answer.headers['gatehouse-request-id']);
    const expected = {
      principal: /^certificate:[0-9a-f]{64}$/,
      credential: /^CN=customer root [0-9a-f]+$/,
      namespace: BUNDLE,
      outcome: 'ok',
      method: 'temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
    };
    await expectOneRecord(site.house, { requestId }, expected);
  });
});

test('T-010 a client without a certificate gets the alert certificate_required', async () => {
  await site.engine.sawNothing(async () => {
    for (const id of [BUNDLE, 'default.local', 'nowhere.local']) {
      const attempt = await site.refusesHandshake(id, undefined, { reason: 'certificate_missing' });
      assert.equal(attempt.ended, 'alert');
      assert.match(attempt.code, /ALERT_CERTIFICATE_REQUIRED$/);
    }
  });
});

test('T-010 a call over a connection without a certificate is never answered', async () => {
  await site.engine.sawNothing(async () => {
    const answer = await describe(site.open('default.local'), 'default.local');
    assert.equal(answer.status, -1);
    assert.equal(answer.body.length, 0);
    assert.deepEqual(answer.headers, {});
  });
});

/** Isolates the signature: each certificate is perfect, but for another namespace. */
test("T-011 a certificate of another namespace's CA is refused, like one for a namespace that is nowhere", async () => {
  await site.engine.sawNothing(async () => {
    const { endpoint } = site.house;
    const foreign = homeCredential(endpoint, 'other.local');
    const ends = new Set<string>();
    for (const id of ['default.local', BUNDLE, 'nowhere.local', 'default.nobody']) {
      const attempt = await site.refusesHandshake(id, foreign, {
        reason: 'certificate_not_admitted',
        detail: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      });
      ends.add(`${attempt.ended} ${attempt.code}`);
    }
    assert.equal(ends.size, 1, `what exists can be told apart: ${[...ends].join(' or ')}`);
  });
});

/** Isolates the key: names, key ids and times are those of the true CA. */
test('T-011 a look-alike CA with the same name and key id is refused, presented or not', async () => {
  await site.engine.sawNothing(async () => {
    const keyId = new SubjectKeyIdentifierExtension(KEY_ID);
    const issuerKeyId = new AuthorityKeyIdentifierExtension(KEY_ID);
    const lookAlike = await makeCa('customer root', { ...times, extensions: [keyId] });
    const stranger = await leafOf(lookAlike, { extensions: [issuerKeyId] });
    const selfSigned = await makeCertificate({
      subject: 'worker',
      issuerName: root.name,
      extensions: [issuerKeyId],
      ...times,
    });
    const sameName = await makeCertificate({ subject: 'customer root', extensions: [keyId], ...times });
    const attempts = [
      credentialOf(stranger),
      credentialOf(stranger, lookAlike),
      credentialOf(stranger, root),
      credentialOf(selfSigned),
      credentialOf(selfSigned, root),
      credentialOf(sameName),
      credentialOf(lookAlike),
    ];
    for (const credential of attempts)
      await site.refusesHandshake(BUNDLE, credential, { reason: 'certificate_not_admitted' });
  });
});

test('T-012 a certificate that has expired or is not valid yet is refused', async () => {
  await site.engine.sawNothing(async () => {
    const expired = await leafOf(root, { notBeforeMs: now - DAY_MS, notAfterMs: now - 1000 });
    const early = await leafOf(root, { notBeforeMs: now + DAY_MS, notAfterMs: now + 2 * DAY_MS });
    await site.refusesHandshake(BUNDLE, credentialOf(expired), { reason: 'certificate_expired' });
    await site.refusesHandshake(BUNDLE, credentialOf(early), {
      reason: 'certificate_not_admitted',
      detail: 'CERT_NOT_YET_VALID',
    });
  });
});

test('T-012 a certificate below an intermediate that has expired is refused', async () => {
  await site.engine.sawNothing(async () => {
    const old = await makeCa('old middle', {
      signer: root,
      notBeforeMs: now - 2 * DAY_MS,
      notAfterMs: now - 1000,
    });
    await site.refusesHandshake(BUNDLE, credentialOf(await leafOf(old), old), {
      reason: /^certificate_(expired|not_admitted)$/,
    });
  });
});

/** Isolates the namespace of the identity: one certificate, two accounts that both trust its CA. */
test('T-017 one CA in two namespaces of two accounts lets in both ways, and no role crosses', async () => {
  const shared = await makeCa('shared root', times);
  await addNamespace(site.house, { id: 'mine.acme1', caPem: shared.pem });
  await addNamespace(site.house, { id: 'yours.acme2', caPem: shared.pem });
  await site.engine.settle();
  const credential = credentialOf(await leafOf(shared));
  const records: RecordedEvent[] = [];
  await site.engine.saw(
    { [counterOf('DescribeNamespace', 'mine.acme1')]: 1, [counterOf('DescribeNamespace', 'yours.acme2')]: 1 },
    async () => {
      for (const [id, otherId] of [
        ['mine.acme1', 'yours.acme2'],
        ['yours.acme2', 'mine.acme1'],
      ] as const) {
        const client = site.open(id, credential);
        const own = await describe(client, id);
        assert.equal(own.status, 0, own.message);
        const requestId = String(own.headers['gatehouse-request-id']);
        records.push(await expectOneRecord(site.house, { requestId }, { namespace: id, outcome: 'ok' }));
        const record = { namespace: id };
        const crossed = await describe(client, otherId);
        await assertRefused(site, crossed, { code: 'namespace_mismatch', record });
        const headed = await describe(client, '', { headers: { 'temporal-namespace': otherId } });
        await assertRefused(site, headed, { code: 'namespace_mismatch', record });
      }
    },
  );
  assert.equal(records[0]?.['principal'], records[1]?.['principal']);
  assert.equal(records[0]?.['credential'], records[1]?.['credential']);
  assert.notEqual(records[0]?.['namespace'], records[1]?.['namespace']);
});

/** Isolates the filter: the CA is shared, the filter is not. */
test("T-017 a filter of one account does not loosen or tighten the other's", async () => {
  const shared = await makeCa('filtered root', times);
  const certificateFilters = [{ commonName: 'payments' }];
  await addNamespace(site.house, { id: 'open.acme1', caPem: shared.pem });
  await addNamespace(site.house, { id: 'filtered.acme2', caPem: shared.pem, certificateFilters });
  await site.engine.settle();
  const credential = credentialOf(await leafOf(shared));
  await site.engine.saw({ [counterOf('DescribeNamespace', 'open.acme1')]: 1 }, async () => {
    assert.equal((await describe(site.open('open.acme1', credential), 'open.acme1')).status, 0);
    const answer = await describe(site.open('filtered.acme2', credential), 'filtered.acme2');
    await assertRefused(site, answer, { code: 'certificate_filter_mismatch' });
  });
});
