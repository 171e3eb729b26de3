import assert from 'node:assert/strict';
import { KeyObject } from 'node:crypto';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServiceClient } from '../../packages/gatehouse/src/base/crypto/kms-adapters/https/service-client.ts';
import type { Path } from '../../packages/gatehouse/src/base/pki/made-path-fixture.test.ts';
import { type PathCase, pathOf } from '../../packages/gatehouse/src/base/pki/path-case-fixture.test.ts';
import { authorityCases } from '../../packages/gatehouse/src/base/pki/path-cases-authority-fixture.test.ts';
import { nameCases } from '../../packages/gatehouse/src/base/pki/path-cases-names-fixture.test.ts';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';

// threats.md T-009: what the platform calls out to, the engine and a KMS, is believed by its certificate alone. The
// cases of the path suites, shown by a server to both of our clients. Who judges is OpenSSL, told what to trust.

interface Shown {
  readonly port: number;
  readonly ca: string;
}

async function show(t: TestContext, { trusted, presented }: Path): Promise<Shown> {
  const [leaf] = presented;
  assert.ok(leaf);
  const server = createSecureServer({
    cert: presented.map(({ pem }) => pem).join(''),
    key: KeyObject.from(leaf.keys.privateKey).export({ type: 'pkcs8', format: 'pem' }),
    allowHTTP1: true,
    // What is weak must be shown, so that it can be refused.
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('secureConnection', (socket) => sessions.add(socket));
  server.on('request', (request, response) => {
    if (request.httpVersionMajor === 2) response.setHeader('grpc-status', '0');
    response.end();
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const each of sessions) each.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, ca: trusted.map(({ pem }) => pem).join('') };
}

async function isEngineBelieved({ port, ca }: Shown, serverName: string): Promise<boolean> {
  const tls = { serverName, ca, cert: '', key: '', tokenHeader: 'authorization' };
  const target = { address: { host: '127.0.0.1', port }, tls };
  const answer = await callEngine(target, '/service/Method', new Uint8Array(), undefined);
  return answer.status !== 14;
}

async function isKmsBelieved({ port, ca }: Shown): Promise<boolean> {
  const client = createServiceClient(ca);
  try {
    const request = { method: 'GET', url: `https://localhost:${port}/`, headers: {} } as const;
    await client.call(request, AbortSignal.timeout(10_000));
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}

for (const each of [...authorityCases, ...nameCases].filter(({ only }) => only !== 'clientAuth'))
  test(titleOf(each), async (t) => {
    const shown = await show(t, await pathOf(each, 'serverAuth', Date.now()));
    const expected = (each.verdict === 'valid') === (each.serverDiffers === undefined);
    assert.equal(await isEngineBelieved(shown, each.host ?? 'localhost'), expected, 'the engine');
    if (each.host === undefined) assert.equal(await isKmsBelieved(shown), expected, 'a KMS');
  });

function titleOf({ id, verdict, serverDiffers }: PathCase): string {
  const says = `T-009 ${id}: a server with it is`;
  if (serverDiffers === undefined) return `${says} ${verdict === 'valid' ? 'believed' : 'refused'}`;
  return `${says} ${verdict === 'valid' ? 'refused' : 'believed'}, unlike there: ${serverDiffers}`;
}
