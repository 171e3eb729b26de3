import assert from 'node:assert/strict';
import { KeyObject } from 'node:crypto';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { createServiceClient } from '../../packages/gatehouse/src/base/crypto/kms-adapters/https/service-client.ts';
import type { Path } from '../../packages/gatehouse/src/base/pki/made-path-fixture.test.ts';
import { type PathCase, pathOf } from '../../packages/gatehouse/src/base/pki/path-case-fixture.test.ts';
import { authorityCases } from '../../packages/gatehouse/src/base/pki/path-cases-authority-fixture.test.ts';
import { nameCases } from '../../packages/gatehouse/src/base/pki/path-cases-names-fixture.test.ts';
import { openPostgresDatabase } from '../../packages/gatehouse/src/base/store/database/postgres-database.ts';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';

// threats.md T-009: what the platform calls out to, the engine, a KMS and PostgreSQL, is believed by its certificate
// alone. The cases of the path suites, shown by a server to all of our clients. Who judges is OpenSSL, told what to
// trust, and our own check of names.

interface Shown {
  readonly port: number;
  readonly ca: string;
}

function identityOf({ presented }: Path) {
  const [leaf] = presented;
  assert.ok(leaf);
  return {
    cert: presented.map(({ pem }) => pem).join(''),
    key: KeyObject.from(leaf.keys.privateKey).export({ type: 'pkcs8', format: 'pem' }),
    // What is weak must be shown, so that it can be refused.
    ciphers: 'DEFAULT@SECLEVEL=0',
  };
}

const caOf = ({ trusted }: Path): string => trusted.map(({ pem }) => pem).join('');

async function show(t: TestContext, path: Path): Promise<Shown> {
  const server = createSecureServer({ ...identityOf(path), allowHTTP1: true });
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
  return { port: (server.address() as AddressInfo).port, ca: caOf(path) };
}

async function isEngineBelieved({ port, ca }: Shown, serverName: string): Promise<boolean> {
  const tls = { serverName, ca, cert: '', key: '' };
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

/** @param serverName absent: the host's own. */
async function isPostgresBelieved(t: TestContext, path: Path, serverName?: string): Promise<boolean> {
  let isBelieved = false;
  const greet = (socket: Socket): void => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      // PostgreSQL manual, "SSL Session Encryption": an S, and TLS on the same connection.
      socket.write('S');
      const secure = new TLSSocket(socket, { ...identityOf(path), isServer: true });
      secure.on('error', () => undefined);
      secure.once('data', () => {
        isBelieved = true;
        secure.destroy();
      });
    });
  };
  const server = createServer(greet);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const ssl = { ca: caOf(path), ...(serverName === undefined ? {} : { serverName }) };
  const host = serverName === undefined ? 'localhost' : '127.0.0.1';
  const connection = { host, port, database: 'directory', user: 'gatehouse', ssl };
  const database = openPostgresDatabase({ kind: 'postgres', connection });
  // There is no database behind it: what matters is whether the client said anything.
  await assert.rejects(database.purge());
  await database.close();
  return isBelieved;
}

for (const each of [...authorityCases, ...nameCases].filter(({ only }) => only !== 'clientAuth'))
  test(titleOf(each), async (t) => {
    const path = await pathOf(each, 'serverAuth', Date.now());
    const shown = await show(t, path);
    const expected = (each.verdict === 'valid') === (each.serverDiffers === undefined);
    assert.equal(await isEngineBelieved(shown, each.host ?? 'localhost'), expected, 'the engine');
    if (each.host === undefined) assert.equal(await isKmsBelieved(shown), expected, 'a KMS');
    assert.equal(await isPostgresBelieved(t, path, each.host), expected, 'PostgreSQL');
  });

test('T-009 a server is not believed by its common name', async (t) => {
  const links = [{}, { cn: 'localhost', san: [] }];
  const path = await pathOf({ id: '', verdict: 'invalid', links }, 'serverAuth', Date.now());
  const shown = await show(t, path);
  assert.equal(await isEngineBelieved(shown, 'localhost'), false, 'the engine');
  assert.equal(await isKmsBelieved(shown), false, 'a KMS');
  assert.equal(await isPostgresBelieved(t, path), false, 'PostgreSQL');
});

function titleOf({ id, verdict, serverDiffers }: PathCase): string {
  const says = `T-009 ${id}: a server with it is`;
  if (serverDiffers === undefined) return `${says} ${verdict === 'valid' ? 'believed' : 'refused'}`;
  return `${says} ${verdict === 'valid' ? 'refused' : 'believed'}, unlike there: ${serverDiffers}`;
}
