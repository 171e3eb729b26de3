import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { ConnectionWatch, type Http2Fault } from './connection-watch.ts';
import { Http2Code } from './error-codes.ts';
import {
  dataFrame,
  FramePeer,
  FrameType,
  headerFrames,
  PREFACE,
  settingsFrame,
  windowFrame,
} from './frames-fixture.test.ts';
import { connectTls, requestFields, startTlsServer, Witness } from './http2-fixture.test.ts';
import { CLIENT_LIMITS } from './native-fixture.test.ts';
import { ServerConnection } from './server-connection.ts';
import type { ServerStream } from './server-stream.ts';
import { settle, until } from './waiting-fixture.test.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const OK = [':status', '200'];
const INITIAL_WINDOW_SIZE = 4;
const WINDOW_MAX = 2 ** 31 - 1;

interface Watched {
  readonly connection: ServerConnection;
  readonly watch: ConnectionWatch;
  readonly faults: Http2Fault[];
  readonly bugs: unknown[];
  readonly socket: TLSSocket;
  readonly peer: FramePeer;
  /** Lets time pass, has the watch look, and what follows happen. */
  pass(ms: number): Promise<void>;
}

/** A connection whose watch looks when a test says so. */
async function watched(t: TestContext, onStream: (stream: ServerStream) => void): Promise<Watched> {
  const faults: Http2Fault[] = [];
  const bugs: unknown[] = [];
  let nowMs = 0;
  let made: { readonly connection: ServerConnection; readonly watch: ConnectionWatch } | undefined;
  const port = await startTlsServer(t, (socket) => {
    const limits = { ...CLIENT_LIMITS, streamsMax: 100 };
    const connection = new ServerConnection(socket, limits, { onStream, onBug: (bug) => bugs.push(bug) });
    const watch = new ConnectionWatch(connection, socket, {
      now: () => nowMs,
      onFault: (fault) => faults.push(fault),
      streamWindow: MIB,
    });
    made = { connection, watch };
  });
  const socket = await connectTls(t, port);
  await until(() => made !== undefined, 'the connection');
  assert.ok(made);
  const { connection, watch } = made;
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    watch.look();
    await settle();
  };
  return { connection, watch, faults, bugs, socket, peer: new FramePeer(socket), pass };
}

test('T-028a an answer for which the client gives no window is given up, said once, and nothing of it is held', async (t) => {
  const witness = new Witness();
  const { connection, faults, peer, pass } = await watched(t, (stream) => {
    if (stream.id !== 1) return stream.respondOnly(OK);
    stream.read(witness);
    stream.respond(OK);
    stream.write(Buffer.alloc(MIB));
    return stream.end(['grpc-status', '0']);
  });
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields()));
  await until(() => witness.told.includes('end'), 'the call');
  await pass(1000);
  await pass(1000);
  assert.deepEqual(faults, []);
  await pass(HOUR_MS);
  await pass(1000);
  await pass(1000);
  assert.equal(await witness.whenClosed(), Http2Code.CANCEL);
  assert.deepEqual(
    faults.map(({ reason }) => reason),
    ['answer_unread'],
  );
  assert.equal(connection.unsentBytes, 0);
  peer.send(headerFrames(3, requestFields()));
  await until(() => peer.of(FrameType.HEADERS, 3).length === 1, 'an answer to another call');
});

test('T-028a an answer to a client that reads nothing of its socket is given up, said once, and nothing of it is held', async (t) => {
  const witness = new Witness();
  const { connection, faults, socket, peer, pass } = await watched(t, (stream) => {
    stream.read(witness);
    stream.respond(OK);
    stream.write(Buffer.alloc(32 * MIB));
    stream.end(['grpc-status', '0']);
  });
  socket.pause();
  peer.send(PREFACE, settingsFrame([INITIAL_WINDOW_SIZE, WINDOW_MAX]), windowFrame(0, WINDOW_MAX - 65_535));
  peer.send(headerFrames(1, requestFields()));
  await until(() => witness.told.includes('end') && connection.unsentBytes < 32 * MIB, 'the call');
  let before = 0;
  // The buffers of both systems take some of it.
  await until(() => {
    const isStill = connection.unsentBytes === before;
    before = connection.unsentBytes;
    return isStill;
  }, 'a full socket');
  await pass(1000);
  await pass(HOUR_MS);
  for (let second = 0; second < 10; second += 1) await pass(1000);
  assert.deepEqual(
    faults.map(({ reason }) => reason),
    ['answer_unread'],
  );
  assert.deepEqual(witness.told, ['end', `closed ${Http2Code.CANCEL}`]);
  assert.equal(connection.unsentBytes, 0);
});

test('T-028b a call that was answered and is not ended by its client is ended for it', async (t) => {
  const witness = new Witness();
  const { faults, peer, pass } = await watched(t, (stream) => {
    stream.read(witness);
    stream.respondOnly(OK);
  });
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'the answer');
  await pass(1000);
  await pass(9000);
  assert.deepEqual(witness.told, []);
  await pass(1000);
  assert.equal(await witness.whenClosed(), Http2Code.NO_ERROR);
  await until(() => peer.resetOf(1) !== undefined, 'the reset');
  assert.deepEqual([peer.resetOf(1), faults], [Http2Code.NO_ERROR, []]);
});

test('T-028b a stream that stays open on both sides is left alone', async (t) => {
  const witness = new Witness();
  const { faults, peer, pass, connection } = await watched(t, (stream) => {
    stream.read(witness);
    stream.respond(OK);
  });
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'the answer');
  for (let hour = 0; hour < 10; hour += 1) await pass(HOUR_MS);
  peer.send(dataFrame(1, Buffer.from('still here'), false));
  await until(() => witness.bytes > 0, 'more of the body');
  assert.deepEqual([faults, connection.openStreamCount], [[], 1]);
});

test('T-028b a connection without calls is ended without losing one', async (t) => {
  const { faults, peer, pass, connection } = await watched(t, (stream) => stream.respondOnly(OK));
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields()));
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'the answer');
  await pass(0);
  await pass(119_000);
  assert.equal(peer.goaways.length, 0);
  await pass(2000);
  await until(() => peer.goaways.length === 1, 'the notice');
  assert.deepEqual([peer.goaways[0]?.[0], connection.isClosing], [WINDOW_MAX, false]);
  assert.deepEqual(faults, []);
});

test('T-005 a client that says nothing after its handshake is hung up on', async (t) => {
  const { faults, peer, pass } = await watched(t, () => undefined);
  await pass(9000);
  assert.deepEqual(faults, []);
  await pass(1001);
  await until(() => peer.hasEnded, 'the end');
  assert.deepEqual(
    faults.map(({ reason }) => reason),
    ['http2_silent'],
  );
});
