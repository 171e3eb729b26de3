import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { programObstacle } from '../parts/program-obstacle.ts';
import { openNeighbour } from './h2-attack.ts';
import { NEIGHBOUR, openPeer, TENANT, tlsOf } from './h2-peer.ts';
import { type H2Site, startH2Site } from './h2-site.ts';
import { Alert, Cipher, type Hello, helloBytes, sendBytes } from './tls-hello.ts';

// threats.md T-001 to T-003: versions, suites, renegotiation and key updates, at a gateway that speaks TLS 1.3 alone
// and at one where one of two namespaces allows 1.2.

let strict: H2Site;
let lenient: H2Site;
let folder: string;
before(async () => {
  [strict, lenient] = await Promise.all([startH2Site(), startH2Site({ args: ['--tls12'] })]);
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
  writeFileSync(join(folder, 'ca.pem'), strict.serverCa);
  writeFileSync(join(folder, 'cert.pem'), strict.cert);
  writeFileSync(join(folder, 'key.pem'), strict.key, { mode: 0o600 });
  writeFileSync(join(folder, 'cert12.pem'), lenient.cert);
  writeFileSync(join(folder, 'key12.pem'), lenient.key, { mode: 0o600 });
});
after(async () => {
  await Promise.all([strict.close(), lenient.close()]);
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const site of [strict, lenient]) {
    const neighbour = openNeighbour(site, TENANT);
    await neighbour.call();
    neighbour.close();
  }
});

const nameOf = (site: H2Site, namespaceId: string = TENANT): Buffer =>
  Buffer.from(`${namespaceId}.${site.domain}`);
const modern = [Cipher.ecdheEcdsaAes128Gcm, Cipher.ecdheRsaAes128Gcm];

async function alertOf(site: H2Site, hello: Omit<Hello, 'serverName' | 'alpn'>): Promise<number | undefined> {
  await site.ask({ reset: true });
  const reply = await sendBytes(site.grpc, helloBytes({ ...hello, serverName: nameOf(site), alpn: ['h2'] }));
  if (!reply.closed) return undefined;
  const key = 'connection refused tls_handshake_failed';
  const state = await site.until(({ counts }) => counts[key] === 1, key);
  assert.equal(state.events.at(-1)?.peer, reply.local);
  assert.equal(state.engineSaw, 0);
  return reply.alert;
}

describe('T-001 versions', () => {
  for (const [what, version] of [
    ['TLS 1.0', 0x0301],
    ['TLS 1.1', 0x0302],
    ['TLS 1.2', 0x0303],
  ] as const) {
    test(`T-001a ${what} gets ALERT(protocol_version)`, async () => {
      assert.equal(await alertOf(strict, { version, ciphers: modern }), Alert.protocolVersion);
    });
  }

  test('T-001a SSL 3 gets an alert: to OpenSSL its record is no version at all', async () => {
    const alerts = [Alert.protocolVersion, Alert.handshakeFailure] as const;
    for (const site of [strict, lenient]) {
      const alert = await alertOf(site, { version: 0x0300, ciphers: modern });
      assert.ok(
        alerts.some((each) => each === alert),
        String(alert),
      );
    }
  });

  test('T-001a versions before 1.2 get it where 1.2 is allowed, too', async () => {
    for (const version of [0x0301, 0x0302]) {
      assert.equal(await alertOf(lenient, { version, ciphers: modern }), Alert.protocolVersion);
    }
  });

  test('T-001a TLS 1.2 is admitted in the namespace that allows it, and closed and recorded in one that does not', async () => {
    await lenient.ask({ reset: true });
    const attempt = async (namespaceId: string): Promise<boolean> => {
      const socket = connect({ ...tlsOf(lenient, namespaceId), maxVersion: 'TLSv1.2' });
      socket.on('error', () => undefined);
      let served = false;
      socket.on('data', () => {
        served = true;
        socket.destroy();
      });
      socket.on('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
      await new Promise((resolve) => socket.on('close', resolve));
      return served;
    };
    assert.equal(await attempt(TENANT), true);
    assert.equal(await attempt(NEIGHBOUR), false);
    await lenient.until(({ counts }) => counts['connection refused tls_version_refused'] === 1, 'the record');
  });

  test('T-001b a hello that was rewritten to 1.2 gets an answer that a client of 1.3 sees through', async () => {
    const reply = await sendBytes(
      lenient.grpc,
      helloBytes({ version: 0x0303, ciphers: modern, serverName: nameOf(lenient), alpn: ['h2'] }),
    );
    // Record 5, handshake 4, version 2, then the random of 32: its last 8 bytes are the sentinel (RFC 8446 4.1.3).
    assert.equal(reply.bytes[5], 2, 'a ServerHello');
    assert.equal(reply.bytes.subarray(35, 43).toString('latin1'), 'DOWNGRD\x01');
  });
});

describe('T-002 suites of TLS 1.2', () => {
  for (const [what, ciphers] of [
    ['CBC', [Cipher.ecdheRsaAes128Cbc, Cipher.ecdheEcdsaAes256CbcSha384]],
    ['RSA key exchange', [Cipher.rsaAes128Cbc, Cipher.rsaAes128Gcm]],
    ['RC4 and 3DES', [Cipher.rsaRc4, Cipher.rsa3des]],
    ['export, anonymous and NULL', [Cipher.rsaExportRc4, Cipher.ecdhAnonAes128Cbc, Cipher.rsaNull]],
  ] as const) {
    test(`T-002 ${what} alone gets ALERT(handshake_failure)`, async () => {
      assert.equal(await alertOf(lenient, { version: 0x0303, ciphers }), Alert.handshakeFailure);
    });
  }

  test('T-002 sslscan finds no weak version, suite or habit', {
    skip: programObstacle('sslscan'),
  }, () => {
    for (const [site, suffix, versions] of [
      [strict, '', ['TLSv1.3']],
      [lenient, '12', ['TLSv1.2', 'TLSv1.3']],
    ] as const) {
      const said = scan(site, suffix);
      for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']) {
        const isOn = new RegExp(`^${version.replaceAll('.', '\\.')}\\s+enabled`, 'm').test(said);
        assert.equal(
          isOn,
          versions.some((each) => each === version),
          `${version}\n${said}`,
        );
      }
      const suites = [...said.matchAll(/^(?:Preferred|Accepted)\s+\S+\s+\d+ bits\s+(\S+)/gm)].map(
        ([, suite]) => suite,
      );
      assert.ok(suites.length > 0, said);
      for (const suite of suites) assert.match(suite ?? '', /^(?:TLS_|ECDHE-).*(?:GCM|POLY1305)/);
      assert.match(said, /Compression disabled|does not support compression/);
      assert.match(said, /Session renegotiation not supported|Secure session renegotiation supported/);
      assert.doesNotMatch(said, /vulnerable to heartbleed(?<!not vulnerable to heartbleed)/);
    }
  });
});

function scan(site: H2Site, suffix: string): string {
  const { stdout, stderr } = spawnSync(
    'sslscan',
    [
      '--no-colour',
      `--sni-name=${nameOf(site).toString()}`,
      `--certs=${join(folder, `cert${suffix}.pem`)}`,
      `--pk=${join(folder, `key${suffix}.pem`)}`,
      `127.0.0.1:${site.grpc}`,
    ],
    { encoding: 'utf8', timeout: 60_000 },
  );
  return `${stdout}${stderr}`;
}

describe('T-003 handshakes after the handshake', () => {
  test('T-003 renegotiation is refused', async () => {
    const socket = connect({ ...tlsOf(lenient), maxVersion: 'TLSv1.2' });
    socket.on('error', () => undefined).resume();
    await once(socket, 'secureConnect');
    const error = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve);
      if (socket.renegotiate({}, resolve) === false) resolve(new Error('refused at once'));
    });
    assert.notEqual(error, null);
    socket.destroy();
  });

  test('T-003 a flood of KeyUpdate is cut within a second or two, and recorded', {
    skip: programObstacle('openssl'),
  }, async () => {
    const before = await strict.ask({ reset: true });
    const sent = await floodKeyUpdates();
    assert.ok(sent < 100_000, `${sent} key updates`);
    const state = await strict.until(
      ({ counts }) => counts['connection refused tls_flood'] === 1,
      'the record',
    );
    assert.ok(state.cpuMs - before.cpuMs < 3000);
    assert.equal(state.engineSaw, 0);
  });
});

/** One key update after the other, by the commands of `openssl s_client`. @returns how many it could send. */
async function floodKeyUpdates(): Promise<number> {
  const client = spawn('openssl', [
    's_client',
    ...['-connect', `127.0.0.1:${strict.grpc}`, '-servername', nameOf(strict).toString(), '-alpn', 'h2'],
    ...[
      '-CAfile',
      join(folder, 'ca.pem'),
      '-cert',
      join(folder, 'cert.pem'),
      '-key',
      join(folder, 'key.pem'),
    ],
  ]);
  let sent = 0;
  let said = '';
  const read = (chunk: Buffer): void => {
    said += chunk.toString('latin1');
    // It says so after each, and takes one command at a time.
    const ready = said.split('KEYUPDATE').length - 1;
    if (said.includes('Verify return code') && sent === ready && sent < 100_000) {
      sent += 1;
      client.stdin.write('K\n');
    }
  };
  client.stdout.on('data', read);
  client.stderr.on('data', read);
  client.stdin.on('error', () => undefined);
  const timer = setTimeout(() => client.kill(), 15_000);
  await once(client, 'close');
  clearTimeout(timer);
  return sent;
}

test('a peer of TLS 1.3 is served on both', async () => {
  for (const site of [strict, lenient]) {
    const peer = await openPeer(site);
    assert.equal(peer.socket.getProtocol(), 'TLSv1.3');
    peer.close();
  }
});
