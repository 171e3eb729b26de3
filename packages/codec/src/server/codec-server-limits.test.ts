import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, describe, test } from 'node:test';
import type { Payload } from '../payload.ts';
import {
  closeAll,
  codec,
  headers,
  json,
  lost,
  payloadsOf,
  plain,
  post,
  SECRET,
  start,
  textOf,
} from '../testing/served-codec.ts';
import type { RequestReport } from './answering.ts';

describe('what the codec server bears', () => {
  after(closeAll);

  test('T-070b a body over the limit is 413, told by its length or found out, and the client can read it', async () => {
    const url = await start();
    const long = 'x'.repeat(10 * 1024 * 1024 + 1);
    for (const operation of ['decode', 'encode']) {
      const answer = await post(`${url}/${operation}`, long);
      assert.deepEqual([answer.status, await answer.text()], [413, 'a body is at most 10485760 bytes\n']);
      const chunked = await fetch(`${url}/${operation}`, {
        method: 'POST',
        body: new Blob([long]).stream(),
        headers,
        duplex: 'half',
      });
      assert.equal(chunked.status, 413);
    }
    const small = await start({ limits: { bodyBytesMax: 20 } });
    assert.equal((await post(`${small}/decode`, '{}')).status, 200);
    assert.equal((await post(`${small}/decode`, '{"payloads":[ {}, {} ]}')).status, 413);
  });

  test('T-070b 100 MiB are refused before they are read, without a token before anything', async () => {
    const url = await start({
      allowAnonymous: false,
      authorize: async () => ({ outcome: 'unauthenticated', reason: 'none' }),
    });
    const open = await start();
    for (const [target, status] of [
      [url, 401],
      [open, 413],
    ] as const) {
      const answered = await new Promise<number | undefined>((resolve, reject) => {
        const req = httpRequest(`${target}/decode`, {
          method: 'POST',
          headers: { ...headers, 'content-length': 100 * 1024 * 1024 },
        });
        req.on('response', (res) => resolve(res.statusCode)).on('error', reject);
        req.write('{');
      });
      assert.equal(answered, status);
    }
  });

  test('T-070b a payload of an unknown key stays as it is with a marker, and its neighbours are decoded', async () => {
    const url = await start();
    const mixed = [
      ...(await codec.encode([plain('mine')])),
      ...(await lost.encode([plain('gone')])),
      plain('never encrypted'),
      {},
      ...(await codec.encode([plain('mine too')])),
    ];
    const answer = await post(`${url}/decode`, json(mixed));
    assert.equal(answer.status, 200);
    const back = await payloadsOf(answer);
    assert.deepEqual(
      [0, 2, 4].map((index) => textOf(back[index])),
      ['"mine"', '"never encrypted"', '"mine too"'],
    );
    assert.deepEqual(back[1]?.data, Buffer.from(mixed[1]?.data ?? []));
    const names = Object.entries(back[1]?.metadata ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value).toString(),
    ]);
    assert.deepEqual(names, [
      ['encoding', 'binary/encrypted'],
      ['encryption-key-id', 'lost'],
      ['gatehouse-not-decoded', 'unknown key'],
    ]);
    assert.deepEqual(back[3], { metadata: {}, data: new Uint8Array() });
    // Asked again, it is still the same.
    const again = await payloadsOf(await post(`${url}/decode`, json(back.slice(1, 2))));
    assert.deepEqual(again, back.slice(1, 2));
  });

  test('T-070b a slow body and a slow codec are given up', async () => {
    const never = () => new Promise<Payload[]>(() => undefined);
    const url = await start({
      codec: () => ({ encode: never, decode: never }),
      limits: { bodyTimeoutMs: 100, codecTimeoutMs: 100 },
    });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      const req = httpRequest(`${url}/decode`, {
        method: 'POST',
        headers: { ...headers, 'content-length': 10 },
      });
      req.on('response', (res) => resolve(res.statusCode)).on('error', reject);
      req.write('{');
    });
    assert.equal(await answered, 408);
    assert.equal((await post(`${url}/encode`, '{}')).status, 503);
  });

  test('T-070b more requests at once than are allowed are told to come again', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let entered = 0;
    const wait = async (payloads: Payload[]) => {
      entered += 1;
      if (entered === 2) release();
      await held;
      return payloads;
    };
    const url = await start({
      codec: () => ({ encode: wait, decode: wait }),
      limits: { requestsAtOnceMax: 2 },
    });
    const first = post(`${url}/decode`, '{}');
    while (entered < 1) await new Promise((resolve) => setImmediate(resolve));
    const second = post(`${url}/decode`, '{}');
    assert.deepEqual([(await first).status, (await second).status], [200, 200]);
    const full = await start({ limits: { requestsAtOnceMax: 0 } });
    const answer = await post(`${full}/decode`, '{}');
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
  });

  test('T-070b no answer and no report ever holds key material, a token or a payload', async () => {
    const reports: RequestReport[] = [];
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl';
    const url = await start({
      onRequest: (report) => reports.push(report),
      codec: () => {
        throw new Error(`canary ${SECRET} ${token}`);
      },
    });
    const answer = await post(`${url}/decode`, json([plain('canary')]), {
      authorization: `Bearer ${token}`,
    });
    assert.deepEqual([answer.status, await answer.text()], [500, 'internal error\n']);
    assert.ok(!/canary|key-material|eyJ/.test(JSON.stringify(reports)), JSON.stringify(reports));
    assert.equal(reports[0]?.reason, 'Error');
  });
});
