import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import {
  type MadeCertificate,
  makeCa,
  makeCertificate,
} from '../../packages/gatehouse/src/base/pki/testing-certificates.test.ts';
import type { DirectoryWriter } from '../../packages/gatehouse/src/base/store/directory.ts';
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
  homeCredential,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { assertFields } from '../../packages/gatehouse/src/testing/expect-record.ts';
import type { RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type ParkedPoll, parkPoll } from '../../packages/gatehouse/src/testing/parked-poll.ts';

// threats.md T-004a, T-012 and T-016: what was admitted once is not admitted for ever. The cases of a row run side
// by side, since each waits for the same seconds to pass.

const DAY_MS = 86_400_000;
/** Our own headline figure: a revocation is in force within this. */
const EFFECTIVE_MS = 5000;
const now = Date.now();
const times = { notBeforeMs: now - DAY_MS, notAfterMs: now + 30 * DAY_MS };

let site: AttackSite;
let root: MadeCertificate;
let worker: ClientCredential;

before(async () => {
  site = await startAttackSite(['other']);
  root = await makeCa('root', times);
  worker = credentialOf(await makeCertificate({ subject: 'worker', signer: root, ...times }));
});
after(() => site.close());

function pollsOf(...namespaceIds: readonly string[]): Record<string, number> {
  return Object.fromEntries(namespaceIds.map((id) => [counterOf('PollWorkflowTaskQueue', id), 1]));
}

/** Not admitted any more: told so in the answer, or not answered because the connection is going away. */
function assertNotServed(
  answer: RawAnswer,
  told: { readonly status: number; readonly message: string },
): void {
  const { status, message } = answer;
  if (status !== -1) assert.deepEqual({ status, message }, told);
}

/** The connection was drained in order, then closed, and its poll came to nothing and stands in the record. */
async function assertEnded(parked: ParkedPoll, namespaceId: string, sinceMs: number): Promise<void> {
  const closedAtMs = await parked.closedWithin(2 * EFFECTIVE_MS);
  assert.ok(closedAtMs - sinceMs < EFFECTIVE_MS, `closed only after ${closedAtMs - sinceMs} ms`);
  assert.ok(parked.goaways.length > 0, 'no GOAWAY came before the end');
  for (const { code } of parked.goaways) assert.equal(code, 0, 'GOAWAY(NO_ERROR)');
  assert.notEqual((await parked.answer).status, 0);
  const polls = await site.house.events();
  const own = polls.filter(
    ({ namespace, method }) => namespace === namespaceId && String(method).endsWith('/PollWorkflowTaskQueue'),
  );
  assert.equal(own.length, 1, `records of the poll: ${JSON.stringify(own)}`);
  assertFields(own[0] ?? {}, {
    kind: 'call',
    outcome: /^(cancelled|refused|error)$/,
    principal: /^certificate:/,
  });
}

/** Isolates the old verdict: certificate and host are right, or were right a moment ago. */
test('T-004a a session is not gone on with: not without the certificate, not at another host, not after the CA has gone', async () => {
  await addNamespace(site.house, { id: 'sessions.local', caPem: root.pem });
  await addNamespace(site.house, { id: 'elsewhere.local', caPem: (await makeCa('elsewhere', times)).pem });
  await site.engine.settle();
  await site.engine.sawNothing(async () => {
    const first = await site.handshake('sessions.local', worker);
    assert.equal(first.ended, 'served');
    assert.ok(first.sessions.length > 0, 'there is a session to offer');
    const { write } = site.house.up.platform.directory;
    for (const session of first.sessions) {
      const again = await site.handshake('sessions.local', worker, { session });
      assert.deepEqual([again.ended, again.resumed], ['served', false]);
      const bare = await site.handshake('sessions.local', undefined, { session });
      assert.deepEqual([bare.ended, bare.resumed], ['alert', false]);
      for (const credential of [worker, undefined]) {
        const elsewhere = await site.handshake('elsewhere.local', credential, { session });
        assert.notEqual(elsewhere.ended, 'served');
        assert.equal(elsewhere.resumed, false);
      }
    }
    await write.setCaBundle('sessions.local', (await makeCa('next', times)).pem);
    for (const session of first.sessions)
      for (const credential of [worker, undefined]) {
        const after = await site.handshake('sessions.local', credential, { session });
        assert.notEqual(after.ended, 'served');
        assert.equal(after.resumed, false);
      }
  });
});

test('T-004b no ticket allows early data', async () => {
  await site.engine.sawNothing(async () => {
    const { sessions } = await site.handshake(
      'default.local',
      homeCredential(site.house.endpoint, 'default.local'),
    );
    // A client can send early data only after a resumable ticket, and the server gives none out.
    for (const session of sessions) {
      const again = await site.handshake('default.local', undefined, { session });
      assert.deepEqual([again.ended, again.resumed], ['alert', false]);
    }
  });
});

/** A certificate counts its time in whole seconds: the first one that is at least this far away. */
function inMs(delayMs: number): number {
  return Math.ceil((Date.now() + delayMs) / 1000) * 1000;
}

test('T-012 a connection whose certificate expires is drained and closed', {
  concurrency: true,
}, async (t: TestContext) => {
  const ids = ['leaf-ends.local', 'middle-ends.local'];
  for (const id of ids) await addNamespace(site.house, { id, caPem: root.pem });
  await site.engine.settle();
  const endsMs = inMs(3000);
  const leaf = await makeCertificate({ subject: 'brief', signer: root, ...times, notAfterMs: endsMs });
  const middle = await makeCa('brief middle', { signer: root, ...times, notAfterMs: endsMs });
  const below = await makeCertificate({ subject: 'below', signer: middle, ...times });
  const expires = async (id: string, credential: ClientCredential): Promise<void> => {
    const parked = await parkPoll(site, id, credential);
    assert.ok(Date.now() < endsMs, 'the poll was parked in time');
    assert.deepEqual(parked.goaways, []);
    const endsAtMs = performance.now() + endsMs - Date.now();
    // The certificate is valid in all of its last second's millisecond.
    await new Promise((resolve) => setTimeout(resolve, endsAtMs - performance.now() + 2));
    const late = await describe(parked.client, id);
    assertNotServed(late, { status: 16, message: 'the client certificate has expired' });
    await assertEnded(parked, id, endsAtMs);
    for (const { atMs } of parked.goaways) assert.ok(atMs >= endsAtMs - 50, 'not drained before its time');
    await site.refusesHandshake(id, credential, { reason: 'certificate_expired' });
  };
  await site.engine.saw(pollsOf(...ids), async () => {
    await Promise.all([
      t.test('T-012 at the end of its own life', () => expires('leaf-ends.local', credentialOf(leaf))),
      t.test('T-012 at the end of an intermediate', () =>
        expires('middle-ends.local', credentialOf(below, middle)),
      ),
    ]);
  });
});

interface Change {
  readonly id: string;
  readonly name: string;
  readonly make: (write: DirectoryWriter, id: string) => Promise<unknown>;
  /** What a new connection meets. */
  readonly afterwards: (id: string) => Promise<unknown>;
}

const closed = (reason: string) => (id: string) => site.refusesHandshake(id, worker, { reason });

const changes: readonly Change[] = [
  {
    id: 'ca-replaced.local',
    name: 'its CA is replaced',
    make: async (write, id) => write.setCaBundle(id, (await makeCa('next', times)).pem),
    afterwards: closed('certificate_not_admitted'),
  },
  {
    id: 'ca-removed.local',
    name: 'its last CA is removed',
    make: (write, id) => write.setCaBundle(id, ''),
    afterwards: closed('certificate_not_admitted'),
  },
  {
    id: 'filter.local',
    name: 'a filter is tightened',
    make: (write, id) => write.setCertificateFilters(id, [{ commonName: 'somebody else' }]),
    // As in Temporal Cloud the handshake stands, and each call is refused.
    async afterwards(id) {
      const answer = await describe(site.open(id, worker), id);
      await assertRefused(site, answer, { code: 'certificate_filter_mismatch', record: { namespace: id } });
    },
  },
  {
    id: 'suspended.local',
    name: 'its namespace is suspended',
    make: (write, id) => write.setState(id, 'suspended'),
    afterwards: closed('namespace_suspended'),
  },
  {
    id: 'deleted.local',
    name: 'its namespace is deleted',
    make: (write, id) => write.deleteNamespace(id),
    afterwards: closed('certificate_not_admitted'),
  },
];

test('T-016 within 5 s a change closes the connections that it no longer admits, and no others', {
  concurrency: true,
}, async (t: TestContext) => {
  for (const { id } of changes) await addNamespace(site.house, { id, caPem: root.pem });
  await site.engine.settle();
  const { write } = site.house.up.platform.directory;
  const ids = changes.map(({ id }) => id);
  const bystanderId = 'other.local';
  await site.engine.saw(pollsOf(...ids, bystanderId), async () => {
    const bystander = await parkPoll(site, bystanderId, homeCredential(site.house.endpoint, bystanderId));
    const closes = async ({ id, make, afterwards }: Change): Promise<void> => {
      const parked = await parkPoll(site, id, worker);
      const sinceMs = performance.now();
      await make(write, id);
      assertNotServed(await describe(parked.client, id), { status: 7, message: 'Request unauthorized.' });
      await assertEnded(parked, id, sinceMs);
      await afterwards(id);
    };
    await Promise.all(changes.map((change) => t.test(`T-016 ${change.name}`, () => closes(change))));
    assert.equal(bystander.client.session.closed, false, 'another tenant was cut off');
    assert.deepEqual(bystander.goaways, []);
    bystander.client.close();
  });
});
