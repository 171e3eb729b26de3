import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#base/model/refusals';
import { Http2Code } from './error-codes.ts';
import { connectPeer, startServer } from './http2-fixture.test.ts';
import { answerOf, openCall } from './peer-fixture.test.ts';
import { readChunks } from './read-chunks.ts';
import type { ServerStream } from './server-stream.ts';
import { until } from './waiting-fixture.test.ts';

const MIB = 1024 * 1024;

async function lengthOf(chunks: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  return length;
}

test('T-028a a body is read at the pace of whoever asks, and whole', async (t) => {
  let served: ServerStream | undefined;
  let chunks: AsyncIterable<Buffer> | undefined;
  let closings = 0;
  const { port, connections } = await startServer(t, (stream) => {
    served = stream;
    chunks = readChunks(stream, () => {
      closings += 1;
    });
  });
  const peer = await connectPeer(t, port);
  const call = openCall(peer);
  const seen = answerOf(call);
  call.end(Buffer.alloc(3 * MIB));
  await until(() => chunks !== undefined, 'the call');
  const came = (): number => connections[0]?.receivedBytes ?? 0;
  await until(() => came() >= MIB, 'one window');
  // As long as nobody asks, the client has no more than that. It would have sent more before these pings.
  for (let round = 0; round < 5; round += 1) await new Promise((resolve) => peer.ping(resolve));
  assert.ok(came() < 1.1 * MIB, `${came()} bytes came`);
  assert.ok(chunks);
  assert.equal(await lengthOf(chunks), 3 * MIB);
  assert.equal(closings, 0);
  served?.respondOnly([':status', '200']);
  assert.equal((await seen).code, 0);
  await until(() => closings === 1, 'the end');
});

test('a body whose client goes away before its end is cancelled, after what came of it', async (t) => {
  let read: Promise<number> | undefined;
  let came = 0;
  let closings = 0;
  const { port } = await startServer(t, (stream) => {
    const chunks = readChunks(stream, () => {
      closings += 1;
    });
    read = (async () => {
      for await (const { length } of chunks) came += length;
      return came;
    })();
    read.catch(() => undefined);
  });
  const peer = await connectPeer(t, port);
  openCall(peer).write('some');
  await until(() => came === 4, 'the body');
  peer.destroy();
  await until(() => closings === 1, 'the end');
  assert.ok(read);
  await assert.rejects(read, (error) => error instanceof Refusal && error.code === 'cancelled');
});

test('a body that ended well is whole even where its client has gone meanwhile', async (t) => {
  let chunks: AsyncIterable<Buffer> | undefined;
  let served: ServerStream | undefined;
  const { port } = await startServer(t, (stream) => {
    served = stream;
    chunks = readChunks(stream, () => undefined);
  });
  openCall(await connectPeer(t, port)).end('all of it');
  await until(() => served?.isReadToEnd === true, 'the body');
  served?.reset(Http2Code.CANCEL);
  await until(() => served?.isClosed === true, 'the end');
  assert.ok(chunks);
  assert.equal(await lengthOf(chunks), 9);
});
