import assert from 'node:assert/strict';
import { connect as connectTcp, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { openNeighbour } from './h2-attack.ts';
import { Flag, FrameType, frame, PREFACE, settings } from './h2-frames.ts';
import { openPeer, TENANT, tlsOf } from './h2-peer.ts';
import { type GatewayState, type H2Site, startH2Site } from './h2-site.ts';
import { Alert, Cipher, type Hello, helloBytes, type Reply, sendBytes } from './tls-hello.ts';

// threats.md T-005 to T-008: what comes to the port that is no handshake, or one that should not be.

let site: H2Site;
before(async () => {
  site = await startH2Site();
});
after(() => site.close());
afterEach(async () => {
  const neighbour = openNeighbour(site);
  await neighbour.call();
  neighbour.close();
});

const HOST = (): string => `${TENANT}.${site.domain}`;

/** The one record of a connection that made no call. */
async function recordOf(reason: string, local: string): Promise<GatewayState> {
  const key = `connection refused ${reason}`;
  const state = await site.until(({ counts }) => counts[key] !== undefined, key);
  assert.deepEqual(state.counts, { [key]: 1 });
  assert.equal(state.events.at(-1)?.peer, local);
  assert.deepEqual([state.engineSaw, state.errors], [0, []]);
  return state;
}

describe('T-005 handshakes that are held open', () => {
  test('T-005 thousands of them, one byte a second, are closed in ten seconds and hold up nobody', {
    timeout: 60_000,
  }, async () => {
    const count = Number(process.env['GATEHOUSE_SOCKETS'] ?? 2000);
    const before = await site.ask({ reset: true });
    const hello = helloBytes({
      version: 0x0303,
      versions: [0x0304],
      ciphers: [Cipher.tls13Aes128Gcm],
      serverName: Buffer.from(HOST()),
      alpn: ['h2'],
    });
    const sockets: Socket[] = [];
    for (let opened = 0; opened < count; opened += 100) {
      await Promise.all(
        Array.from({ length: 100 }, () => {
          const socket = connectTcp({ host: '127.0.0.1', port: site.grpc });
          socket.on('error', () => undefined).resume();
          sockets.push(socket);
          return new Promise((resolve) => socket.on('connect', resolve));
        }),
      );
    }
    const beganMs = performance.now();
    let sent = 0;
    const drip = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write(hello.subarray(sent, sent + 1));
      sent += 1;
    }, 1000);
    const closed = Promise.all(
      sockets.map((socket) => socket.closed || new Promise((resolve) => socket.on('close', resolve))),
    );
    const pending = await site.ask();
    const each = (pending.rssBytes - before.rssBytes) / count;
    assert.ok(each < 100 * 1024, `${each} bytes for each`);
    const peer = await openPeer(site);
    assert.ok(
      sockets.some(({ destroyed }) => !destroyed),
      'others are served meanwhile',
    );
    peer.close();
    await closed;
    clearInterval(drip);
    assert.ok(performance.now() - beganMs < 20_000);
    const key = 'connection refused handshake_timeout';
    await site.until(({ counts }) => counts[key] === count, 'a record for each');
  });
});

describe('T-006 other protocols', () => {
  const random = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919 + 13) % 251));
  for (const [what, bytes] of [
    ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['the cleartext preface of HTTP/2', Buffer.concat([PREFACE, settings()])],
    ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['a PROXY header', Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n')],
    ['random bytes', random],
    ['a record that is no handshake', Buffer.of(0x17, 3, 3, 0, 2, 0, 0)],
    ['a hello of another type', Buffer.of(0x16, 3, 1, 0, 4, 2, 0, 0, 0)],
  ] as const) {
    test(`T-006a ${what}: an alert or nothing, and no banner`, async () => {
      await site.ask({ reset: true });
      const reply = await sendBytes(site.grpc, bytes);
      assert.equal(reply.closed, true);
      assert.ok(reply.bytes.length === 0 || reply.alert !== undefined, reply.bytes.toString('latin1'));
      await recordOf('tls_handshake_failed', reply.local);
    });
  }

  test('T-006b ALPN http/1.1 on the gRPC endpoint gets ALERT(no_application_protocol)', async () => {
    await site.ask({ reset: true });
    const reply = await sendHello({ alpn: ['http/1.1'] });
    assert.equal(reply.alert, Alert.noApplicationProtocol);
    await recordOf('alpn_missing', reply.local);
  });

  test('T-006b a client without ALPN is not spoken to on the gRPC endpoint', async () => {
    await site.ask({ reset: true });
    const tried = await attempt({ ALPNProtocols: [] });
    assert.equal(tried.bytes, 0);
    await recordOf('alpn_missing', tried.local);
  });

  test('T-006b an ALPN list of 60 KiB with h2 at its end is read, without it refused, and the process lives', async () => {
    const names = Array.from({ length: 6000 }, (_, index) => `proto-${index}`.slice(0, 9));
    const with2 = await sendHello({ alpn: [...names, 'h2'] });
    assert.equal(with2.bytes[0], 22, 'a ServerHello');
    await site.ask({ reset: true });
    const without = await sendHello({ alpn: names });
    assert.equal(without.alert, Alert.noApplicationProtocol);
    await recordOf('alpn_missing', without.local);
  });

  test('T-006b malformed ALPN lists are refused', async () => {
    for (const alpn of [[''], ['h2', ''], ['x'.repeat(255)]]) {
      await site.ask({ reset: true });
      const reply = await sendHello({ alpn });
      assert.equal(reply.closed, true);
      assert.notEqual(reply.bytes[0], 22);
    }
  });
});

describe('T-007 server names', () => {
  for (const [what, name] of [
    ['upper case', () => HOST().toUpperCase()],
    ['a trailing dot', () => `${HOST()}.`],
  ] as const) {
    test(`T-007 ${what} is the same name`, async () => {
      const tried = await attempt({ servername: name(), checkServerIdentity: () => undefined });
      assert.ok(tried.bytes > 0, 'the gateway speaks HTTP/2');
    });
  }

  for (const [what, bytes] of [
    ['a NUL', () => Buffer.from(`${HOST()}\0.evil.test`)],
    ['300 bytes', () => Buffer.from(`${'a'.repeat(300 - HOST().length)}${HOST()}`)],
    ['characters beyond ASCII', () => Buffer.from(HOST().replace('o', 'ö'))],
    ['invalid UTF-8', () => Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(HOST())])],
    ['an underscore', () => Buffer.from(HOST().replace('orders', 'ord_rs'))],
    ['two trailing dots', () => Buffer.from(`${HOST()}..`)],
    ['a leading dot', () => Buffer.from(`.${HOST()}`)],
    ['an IPv4 address', () => Buffer.from('127.0.0.1')],
    ['an IPv6 address', () => Buffer.from('::1')],
    ['another domain', () => Buffer.from('orders.acme1.evil.test')],
  ] as const) {
    test(`T-007 ${what} is nobody's name: no handshake, and a record`, async () => {
      await site.ask({ reset: true });
      const reply = await sendHello({ serverName: bytes() });
      assert.notEqual(reply.bytes[0], 22, 'no ServerHello');
      const state = await site.until(({ counts }) => Object.keys(counts).length > 0, what);
      assert.match(
        Object.keys(state.counts).join(),
        /^connection refused (?:sni_unknown|tls_handshake_failed)$/,
      );
      assert.equal(state.events.at(-1)?.peer, reply.local);
      assert.deepEqual([state.engineSaw, state.errors], [0, []]);
    });
  }

  test('T-007 a client that names no server is not spoken to, whatever its certificate', async () => {
    await site.ask({ reset: true });
    const stranger = await attempt({
      servername: '',
      cert: site.strangerCert,
      key: site.strangerKey,
      checkServerIdentity: () => undefined,
    });
    assert.equal(stranger.bytes, 0);
    await recordOf('sni_unknown', stranger.local);
    await site.ask({ reset: true });
    const tenant = await attempt({ servername: '', checkServerIdentity: () => undefined });
    assert.equal(tenant.bytes, 0);
    await recordOf('certificate_not_admitted', tenant.local);
  });
});

describe('T-008 bytes that break the layer above', () => {
  test('T-008 malformed HEADERS of every kind end their connection and nothing else (CVE-2025-59465)', async () => {
    await site.ask({ reset: true });
    let seed = 1;
    const next = (): number => {
      seed = (seed * 48_271) % 0x7fffffff;
      return seed;
    };
    const rounds = 100;
    for (let round = 0; round < rounds; round += 1) {
      const peer = await openPeer(site);
      const payload = Buffer.from(Array.from({ length: 1 + (next() % 200) }, () => next() % 256));
      // An index beyond every table, so that no payload is by chance a good one.
      await peer.send(
        frame(
          FrameType.headers,
          Flag.endHeaders | (next() % 64),
          1,
          Buffer.concat([Buffer.of(0xff, 0xff, 0x7f), payload]),
        ),
      );
      // In the middle of the answer, without a goodbye.
      if (round % 2 === 0) peer.socket.destroy();
      await peer.ended;
    }
    const after = await site.until(({ connections }) => connections === 0, 'all have gone');
    assert.deepEqual(after.errors, []);
    assert.ok(
      (after.counts['connection refused http2_protocol_error'] ?? 0) >= rounds / 2,
      JSON.stringify(after.counts),
    );
  });
});

function sendHello(hello: Partial<Hello>): Promise<Reply> {
  return sendBytes(
    site.grpc,
    helloBytes({
      version: 0x0303,
      versions: [0x0304],
      ciphers: [Cipher.tls13Aes128Gcm],
      serverName: Buffer.from(HOST()),
      alpn: ['h2'],
      ...hello,
    }),
  );
}

/** A handshake by the runtime's own client, then the start of HTTP/2. @returns how many bytes came over TLS. */
async function attempt(options: ConnectionOptions): Promise<{ bytes: number; local: string }> {
  const socket = connect({ ...tlsOf(site), ...options });
  let bytes = 0;
  let local = '';
  socket.on('connect', () => {
    local = `${socket.localAddress}:${socket.localPort}`;
  });
  socket.on('error', () => undefined);
  socket.on('secureConnect', () => socket.write(Buffer.concat([PREFACE, settings()])));
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    socket.destroy();
  });
  await new Promise((resolve) => socket.on('close', resolve));
  return { bytes, local };
}
