import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import {
  FramePeer,
  FrameType,
  goawayFrame,
  headerFrames,
  PREFACE,
  pingFrame,
  settingsFrame,
} from './frames-fixture.test.ts';
import { connectPeer, connectTls, requestFields, startServer, Witness } from './http2-fixture.test.ts';
import { MemorySocket } from './memory-socket-fixture.test.ts';
import { answerOf, call, openCall } from './peer-fixture.test.ts';
import { serveHttp2 } from './serve-http2.ts';
import type { ServerStream } from './server-stream.ts';
import { settle, until } from './waiting-fixture.test.ts';

const OK = [':status', '200'];
const MIB = 1024 * 1024;
const NOTICE_ID = 2 ** 31 - 1;

async function connectFrames(t: TestContext, port: number): Promise<FramePeer> {
  const peer = new FramePeer(await connectTls(t, port));
  peer.send(PREFACE, settingsFrame());
  return peer;
}

test('T-028a the client of a paced stream is one window ahead at most', async (t) => {
  const body = randomBytes(3 * MIB);
  const witness = new Witness();
  let served: ServerStream | undefined;
  const { port } = await startServer(t, (stream) => {
    served = stream;
    stream.pace();
    stream.read(witness);
  });
  const peer = await connectPeer(t, port);
  const stream = openCall(peer);
  const seen = answerOf(stream);
  stream.end(body);
  let consumed = 0;
  while (consumed < body.length) {
    const ahead = Math.min(body.length, consumed + MIB);
    await until(() => witness.bytes === ahead, `${ahead} bytes`);
    // Had the client room for more, it would have sent it before this.
    await new Promise((resolve) => peer.ping(resolve));
    assert.equal(witness.bytes, ahead);
    served?.consume(ahead - consumed);
    consumed = ahead;
  }
  await until(() => witness.told.includes('end'), 'the end of the body');
  served?.respondOnly(OK);
  assert.equal((await seen).code, 0);
  assert.ok(witness.body.equals(body));
});

for (const closes of ['the client', 'the server'] as const) {
  test(`T-028a what nobody read of streams that ${closes} resets starves no other stream`, async (t) => {
    const witnesses: Witness[] = [];
    const streams: ServerStream[] = [];
    const { port } = await startServer(t, (stream) => {
      const witness = new Witness();
      witnesses.push(witness);
      streams.push(stream);
      stream.read(witness);
      stream.pace();
    });
    const peer = await connectPeer(t, port);
    const window = Buffer.alloc(MIB);
    // Two and a half times the window of the connection.
    for (let at = 0; at < 40; at += 1) {
      const stream = openCall(peer);
      stream.write(window);
      await until(() => witnesses[at]?.bytes === MIB, `the body of stream ${at}`);
      streams[at]?.consume(at);
      if (closes === 'the client') stream.close(Http2Code.CANCEL);
      else streams[at]?.reset(Http2Code.CANCEL);
      assert.equal(await witnesses[at]?.whenClosed(), Http2Code.CANCEL);
    }
    openCall(peer).write(window);
    await until(() => witnesses[40]?.bytes === MIB, 'the body after them');
  });
}

test('a connection that we close answers what has begun, takes nothing new, and goes', async (t) => {
  const streams: ServerStream[] = [];
  const { port, connections } = await startServer(t, (stream) => streams.push(stream));
  const peer = await connectFrames(t, port);
  peer.send(headerFrames(1, requestFields()));
  await until(() => streams.length === 1, 'a call');
  const [connection] = connections;
  connection?.close();
  assert.equal(connection?.isClosing, true);
  await until(() => peer.goaways.length === 1, 'GOAWAY');
  assert.deepEqual(peer.goaways, [[1, Http2Code.NO_ERROR]]);

  peer.send(headerFrames(3, requestFields()));
  await peer.roundTrip();
  assert.deepEqual([streams.length, peer.hasEnded], [1, false]);

  streams[0]?.respondOnly(OK);
  await until(() => peer.hasEnded, 'the end of the connection');
  assert.equal(peer.of(FrameType.HEADERS, 1).length, 1);
  assert.deepEqual([peer.of(FrameType.HEADERS, 3).length, streams.length], [0, 1]);
});

test('a connection without calls that we close goes at once', async (t) => {
  const { port, connections } = await startServer(t, (stream) => stream.respondOnly(OK));
  const peer = await connectPeer(t, port);
  await call(peer);
  const gone = new Promise<void>((resolve) => connections[0]?.onClose(resolve));
  connections[0]?.close();
  await Promise.all([gone, once(peer, 'close')]);
});

test('a notice that a connection will be closed refuses nothing', async (t) => {
  const { port, connections } = await startServer(t, (stream) => stream.respondOnly(OK));
  const peer = await connectFrames(t, port);
  await peer.roundTrip();
  connections[0]?.notice();
  await until(() => peer.goaways.length === 1, 'GOAWAY');
  assert.deepEqual(peer.goaways, [[NOTICE_ID, Http2Code.NO_ERROR]]);
  assert.equal(connections[0]?.isClosing, false);
  peer.send(headerFrames(1, requestFields()), headerFrames(3, requestFields()));
  await until(() => peer.of(FrameType.HEADERS, 3).length === 1, 'an answer after the notice');
  connections[0]?.close();
  await until(() => peer.hasEnded, 'the end');
  assert.deepEqual(peer.goaways.at(-1), [3, Http2Code.NO_ERROR]);
});

test('pings are answered on both sides, each once and in turn', async (t) => {
  const { port, connections } = await startServer(t, () => undefined);
  const peer = await connectPeer(t, port);
  await new Promise((resolve) => peer.ping(resolve));
  const answered: number[] = [];
  for (const ping of [1, 2, 3]) connections[0]?.ping(() => answered.push(ping));
  await until(() => answered.length === 3, 'the answers');
  await new Promise((resolve) => peer.ping(resolve));
  assert.deepEqual(answered, [1, 2, 3]);
});

test('an answer to a ping that nobody sent is nothing', async (t) => {
  const { port, bugs } = await startServer(t, (stream) => stream.respondOnly(OK));
  const peer = await connectFrames(t, port);
  peer.send(pingFrame('unasked', true));
  await peer.roundTrip();
  assert.deepEqual(bugs, []);
});

test('a client that says goodbye has its open calls answered', async (t) => {
  const streams: ServerStream[] = [];
  const { port } = await startServer(t, (stream) => streams.push(stream));
  const peer = await connectFrames(t, port);
  peer.send(headerFrames(1, requestFields()), goawayFrame(0, Http2Code.NO_ERROR));
  await until(() => peer.goaways.length === 1, 'our own goodbye');
  streams[0]?.respondOnly(OK);
  await until(() => peer.hasEnded, 'the end');
  assert.equal(peer.of(FrameType.HEADERS, 1).length, 1);
});

test('a client that goes in anger has its calls cancelled', async (t) => {
  const witness = new Witness();
  const { port } = await startServer(t, (stream) => stream.read(witness));
  const peer = await connectFrames(t, port);
  peer.send(headerFrames(1, requestFields(), false), goawayFrame(0, Http2Code.INTERNAL_ERROR));
  assert.equal(await witness.whenClosed(), Http2Code.CANCEL);
  await until(() => peer.hasEnded, 'the end');
});

test('T-028b calls beyond the limit wait at the client and are then served', async (t) => {
  let open = 0;
  let most = 0;
  const streams: ServerStream[] = [];
  const onStream = (stream: ServerStream): void => {
    open += 1;
    most = Math.max(most, open);
    streams.push(stream);
  };
  const { port } = await startServer(t, onStream, 2);
  const peer = await connectPeer(t, port);
  await until(() => peer.remoteSettings?.maxConcurrentStreams === 2, 'our limit');
  const answers = Array.from({ length: 7 }, () => call(peer));
  for (let served = 0; served < 7; served += 1) {
    await until(() => streams.length > served, `call ${served}`);
    open -= 1;
    streams[served]?.respondOnly(OK);
  }
  for (const { code } of await Promise.all(answers)) assert.equal(code, 0);
  assert.equal(most, 2);
});

test('T-028b a call beyond the limit from a client that does not know it yet is refused', async (t) => {
  let served = 0;
  const onStream = (): void => {
    served += 1;
  };
  const { port } = await startServer(t, onStream, 2);
  const peer = new FramePeer(await connectTls(t, port));
  peer.send(PREFACE, settingsFrame(), ...[1, 3, 5].map((id) => headerFrames(id, requestFields())));
  await until(() => peer.resetOf(5) !== undefined, 'the refusal');
  assert.equal(peer.resetOf(5), Http2Code.REFUSED_STREAM);
  assert.deepEqual([served, peer.hasEnded], [2, false]);
});

test('a client that hangs up takes its connection with it, and we hang up too', async (t) => {
  const witness = new Witness();
  const { port, connections } = await startServer(t, (stream) => stream.read(witness));
  const socket = await connectTls(t, port);
  const peer = new FramePeer(socket);
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  await until(() => connections[0]?.openStreamCount === 1, 'a call');
  const gone = new Promise<void>((resolve) => connections[0]?.onClose(resolve));
  socket.end();
  await gone;
  await until(() => peer.hasEnded, 'the end');
  await settle();
  assert.deepEqual(witness.told, ['closed 8']);
});

test('what is asked of a connection that has gone is nothing', async (t) => {
  const { port, connections } = await startServer(t, (stream) => stream.respondOnly(OK));
  const peer = await connectPeer(t, port);
  await call(peer);
  const [connection] = connections;
  const gone = new Promise<void>((resolve) => connection?.onClose(resolve));
  peer.destroy();
  await gone;
  let answered = 0;
  connection?.notice();
  connection?.close();
  connection?.ping(() => {
    answered += 1;
  });
  connection?.destroy(Http2Code.INTERNAL_ERROR);
  await settle();
  assert.deepEqual([connection?.isClosing, connection?.isDestroyed, answered], [true, true, 0]);
});

test('F-20 a connection whose socket has gone before HTTP/2 began is told to be closed, once', async () => {
  const socket = new MemorySocket();
  socket.destroy();
  await settle();
  let closes = 0;
  const connection = serveHttp2(socket.asTls, {
    streamsMax: 100,
    now: () => 0,
    onFault: () => undefined,
    onBug: (bug) => assert.fail(String(bug)),
    onStream: () => assert.fail('nothing came'),
  });
  connection.onClose(() => {
    closes += 1;
  });
  await until(() => closes === 1, 'its end');
  socket.emit('close');
  assert.equal(closes, 1);
  assert.equal(connection.isDestroyed, true);
});
