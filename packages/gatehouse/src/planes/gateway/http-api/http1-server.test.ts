import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Http1Server } from './http1-server.ts';

/** Only slowness is looked at here, so the sockets are plain ones. */
async function dial(t: TestContext, server: Http1Server) {
  const listener = createServer((socket) => {
    server.accept(socket as TLSSocket, (exchange) => exchange.answer(200, {}, 'ok'));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  t.after(() => {
    client.destroy();
    listener.close();
    server.close();
  });
  return client;
}

test('T-028 headers that drip in are not waited for', async (t) => {
  const client = await dial(t, new Http1Server({ headersTimeoutMs: 300 }));
  client.write('GET /a HTTP/1.1\r\nhost: a\r\n');
  const drip = setInterval(() => client.write('x: 1\r\n'), 50);
  t.after(() => clearInterval(drip));
  assert.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 408 /);
  await once(client, 'close');
});

test('T-028 a second request on a connection may not drip in either', async (t) => {
  const client = await dial(t, new Http1Server({ headersTimeoutMs: 300 }));
  client.write('GET /a HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 200 /);
  client.write('GET /a HTTP/1.1\r\n');
  assert.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 408 /);
});
