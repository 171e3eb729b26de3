import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { LEAF_LIFE_MS, openEnginePki } from './engine-pki.ts';
import { createSigningKeys } from './engine-signing-keys.ts';
import { startJwksServer } from './jwks-server.ts';

test('with an identity the key listener speaks TLS 1.3 alone, and shows a renewed one at once', async () => {
  // The first leaf is made in the past, so that both are valid today.
  let nowMs = Date.now() - (LEAF_LIFE_MS * 2) / 3;
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  const keys = await createSigningKeys(clock);
  const folder = await mkdtemp(join(tmpdir(), 'engine-jwks-'));
  const pki = await openEnginePki({ folder, nexusEnabled: false, clock });
  const server = await startJwksServer({ keys, port: 0, identity: pki.jwksIdentity });
  const { ca } = pki.gatewayTls();
  const dial = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: server.port,
        path: '/jwks.json',
        ca,
        maxVersion,
        agent: false,
      };
      const call = request(options, (answer) => {
        const { socket } = answer;
        answer.resume();
        resolve(socket instanceof TLSSocket ? (socket.getPeerX509Certificate()?.fingerprint256 ?? '') : '');
      });
      call.on('error', reject).end();
    });
  const first = await dial('TLSv1.3');
  assert.equal(first, new X509Certificate(pki.jwksIdentity().cert).fingerprint256);
  await assert.rejects(dial('TLSv1.2'));
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/jwks.json`));
  nowMs = Date.now();
  assert.equal(await pki.renew(), 'leaves');
  server.renewIdentity();
  assert.equal(await dial('TLSv1.3'), new X509Certificate(pki.jwksIdentity().cert).fingerprint256);
  assert.notEqual(await dial('TLSv1.3'), first);
  await server.close();
  await rm(folder, { recursive: true });
});
