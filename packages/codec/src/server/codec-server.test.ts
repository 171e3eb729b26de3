import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Payload } from '../payload.ts';
import {
  closeAll,
  codec,
  headers,
  json,
  payloadsOf,
  plain,
  post,
  SECRET,
  start,
  textOf,
  UI,
} from '../testing/served-codec.ts';
import { createCodecServer } from './codec-server.ts';

describe('the codec server', () => {
  after(closeAll);

  test('encodes and decodes, as many as were given and in the same order, under any path', async () => {
    const url = await start();
    const payloads = ['a', 'b', 'c'].map(plain);
    const encoded = await post(`${url}/some/path/encode`, json(payloads));
    assert.deepEqual([encoded.status, encoded.headers.get('content-type')], [200, 'application/json']);
    assert.equal(encoded.headers.get('cache-control'), 'no-store');
    const made = await payloadsOf(encoded);
    assert.ok(
      made.every((it) => Buffer.from(it.metadata?.['encoding'] ?? []).toString() === 'binary/encrypted'),
    );
    const decoded = await post(`${url}/decode?preserveStorageRefs=true`, json(made));
    assert.deepEqual((await payloadsOf(decoded)).map(textOf), ['"a"', '"b"', '"c"']);
    assert.deepEqual(await (await post(`${url}/decode`, '{}')).json(), { payloads: [] });
  });

  test('only POST on /encode and /decode is answered, and only the last element of the path decides', async () => {
    const url = await start();
    for (const path of [
      '/',
      '/decode/',
      '/decoded',
      '/decode/x',
      '/xdecode',
      '/deco%64e',
      '/download',
      '/encode/..;',
    ])
      assert.equal((await post(url + path, '{}')).status, 404, path);
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await fetch(`${url}/decode`, { method });
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST, OPTIONS'], method);
    }
  });

  test('bad JSON and a fault of the codec are 400, with a sentence that holds nothing of them', async () => {
    const url = await start({
      codec: (namespace) => {
        if (namespace === 'none') return undefined;
        if (namespace !== 'broken') return codec;
        const fail = async () => Promise.reject(new Error(`ciphertext too short: ${SECRET}`));
        return { encode: fail, decode: fail };
      },
    });
    assert.deepEqual(
      await (await post(`${url}/decode`, '{"payloads":[{"data":"?"}]}')).text(),
      'payloads[0].data: base64 is expected\n',
    );
    const [made = {}] = await codec.encode([plain('x')]);
    const damaged = await post(`${url}/decode`, json([{ ...made, data: Buffer.alloc(40) }]));
    assert.deepEqual(
      [damaged.status, await damaged.text()],
      [400, 'a payload is not what was encrypted with the key "now"\n'],
    );
    const broken = await post(`${url}/encode`, json([plain('x')]), { 'x-namespace': 'broken' });
    assert.deepEqual([broken.status, await broken.text()], [400, 'the codec failed\n']);
    assert.equal((await post(`${url}/encode`, '{}', { 'x-namespace': 'none' })).status, 404);
    const type = await post(`${url}/decode`, '{}', { 'content-type': 'text/plain' });
    assert.equal(type.status, 415);
    assert.equal((await post(`${url}/decode`, '{}', { 'content-encoding': 'gzip' })).status, 415);
  });

  test('a codec that gives another number of payloads is a fault of the codec', async () => {
    const drop = async (payloads: Payload[]) => payloads.slice(1);
    const url = await start({ codec: () => ({ encode: drop, decode: drop }) });
    for (const operation of ['encode', 'decode'])
      assert.equal((await post(`${url}/${operation}`, json([plain('x')]))).status, 400);
  });

  test('encoding can be switched off', async () => {
    const url = await start({ encode: false });
    assert.equal((await post(`${url}/encode`, '{}')).status, 404);
    assert.equal((await post(`${url}/decode`, '{}')).status, 200);
  });

  test('the handler in the style of fetch answers the same', async () => {
    const { fetch: handle } = createCodecServer({
      codec: () => codec,
      allowAnonymous: true,
      allowedOrigins: [UI],
    });
    const ask = (path: string, init: RequestInit) =>
      handle(new Request(`https://codec.example.com${path}`, init));
    const encoded = await ask('/encode', { method: 'POST', body: json([plain('x')]), headers });
    const decoded = await ask('/decode', { method: 'POST', body: await encoded.text(), headers });
    assert.equal(textOf((await payloadsOf(decoded))[0]), '"x"');
    assert.equal((await ask('/decode', { method: 'POST', headers })).status, 400);
    const preflight = await ask('/decode', { method: 'OPTIONS', headers: { origin: UI } });
    assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, UI]);
  });
});
