import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { SecureVersion } from 'node:tls';
import { Refusal } from '#base/model/refusals';
import { generateCa, generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import {
  type GeneratedCertificate,
  generateKeys,
  issueCertificate,
  openSigner,
} from '#base/pki/issue-certificate';
import {
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
} from '#base/pki/x509-library';
import { silentLog } from '#base/runtime/log';
import { EnginePool } from './engine-pool.ts';

// threats.md T-009: who claims to be the engine is believed by its certificate alone, and no switch changes that.

const DAY_MS = 86_400_000;
const nowMs = Date.now();
const NAME = 'engine.test';
const trusted = await generateInternalCa({ commonName: 'trusted', validityMs: 30 * DAY_MS, nowMs });

function serve(
  ca: GeneratedCertificate,
  changes: { dnsName?: string; issuedMs?: number; usage?: 'serverAuth' | 'clientAuth' } = {},
) {
  const { dnsName = NAME, issuedMs = nowMs, usage = 'serverAuth' } = changes;
  return generateServiceCertificate({
    ca,
    commonName: dnsName,
    dnsNames: [dnsName],
    usages: [usage],
    validityMs: DAY_MS,
    nowMs: issuedMs,
  });
}

/** A CA below the trusted one that may sign for other names only (RFC 5280 section 4.2.1.10). */
async function constrainedCa(): Promise<GeneratedCertificate> {
  const name = Buffer.from('other.test');
  const subtree = Buffer.concat([Buffer.of(0x30, name.length + 2, 0x82, name.length), name]);
  const permitted = Buffer.concat([Buffer.of(0x30, subtree.length + 2, 0xa0, subtree.length), subtree]);
  return await issueCertificate({
    subject: [['CN', 'constrained']],
    keys: await generateKeys('P-256'),
    signer: await openSigner(trusted.certificatePem, trusted.privateKeyPem),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new Extension('2.5.29.30', true, permitted),
    ],
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + 10 * DAY_MS,
  });
}

/** The right name, where nobody may look for it any more (RFC 9525 section 2). */
async function namedByCommonName(): Promise<GeneratedCertificate> {
  return await issueCertificate({
    subject: [['CN', NAME]],
    keys: await generateKeys('P-256'),
    signer: await openSigner(trusted.certificatePem, trusted.privateKeyPem),
    extensions: [new BasicConstraintsExtension(false, undefined, true)],
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + DAY_MS,
  });
}

interface Outcome {
  readonly reached: boolean;
  /** Of HTTP/2 at the server: nothing may be said to somebody who is not the engine. */
  readonly sessions: number;
}

async function dial(
  t: TestContext,
  shown: GeneratedCertificate,
  chain = '',
  maxVersion: SecureVersion = 'TLSv1.3',
): Promise<Outcome> {
  const server = createSecureServer({
    cert: shown.certificatePem + chain,
    key: shown.privateKeyPem,
    maxVersion,
  });
  let sessions = 0;
  server.on('session', (session) => {
    sessions += 1;
    t.after(() => session.destroy());
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const pool = new EnginePool({
    target: () => ({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      serverName: NAME,
      tls: { ca: trusted.certificatePem },
    }),
    log: silentLog,
    size: 1,
  });
  t.after(async () => {
    await pool.close();
    server.close();
  });
  try {
    await pool.acquire();
    // The client may know before the server does.
    if (sessions === 0) await once(server, 'session');
    return { reached: true, sessions };
  } catch (error) {
    assert.ok(error instanceof Refusal && error.code === 'engine_unavailable', String(error));
    return { reached: false, sessions };
  }
}

test('the engine with a good certificate is reached', async (t) => {
  assert.deepEqual(await dial(t, await serve(trusted)), { reached: true, sessions: 1 });
});

const imposters: readonly (readonly [string, (t: TestContext) => Promise<Outcome>])[] = [
  ['an expired certificate', async (t) => dial(t, await serve(trusted, { issuedMs: nowMs - 10 * DAY_MS }))],
  [
    'a certificate of the future',
    async (t) => dial(t, await serve(trusted, { issuedMs: nowMs + 5 * DAY_MS })),
  ],
  ['a certificate for another name', async (t) => dial(t, await serve(trusted, { dnsName: 'other.test' }))],
  ['a certificate with the name in its subject alone', async (t) => dial(t, await namedByCommonName())],
  ['a certificate for clients only', async (t) => dial(t, await serve(trusted, { usage: 'clientAuth' }))],
  [
    'a self-signed certificate',
    async (t) => dial(t, await generateCa({ organization: 'engine', validityMs: 30 * DAY_MS, nowMs })),
  ],
  [
    'a certificate of another CA with the same name',
    async (t) =>
      dial(
        t,
        await serve(await generateInternalCa({ commonName: 'trusted', validityMs: 30 * DAY_MS, nowMs })),
      ),
  ],
  [
    'a certificate of a CA that may not sign for this name',
    async (t) => {
      const ca = await constrainedCa();
      return dial(t, await serve(ca), ca.certificatePem);
    },
  ],
  ['TLS 1.2', async (t) => dial(t, await serve(trusted), '', 'TLSv1.2')],
];
for (const [what, attempt] of imposters) {
  test(`T-009 who shows ${what} is not the engine, whatever the environment says`, async (t) => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    assert.equal((await attempt(t)).reached, false);
  });
}
