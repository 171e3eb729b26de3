import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dataFrame,
  FrameType,
  headerFrames,
  PREFACE,
  parseFrames,
  settingsFrame,
} from './frames-fixture.test.ts';
import { requestFields, Witness } from './http2-fixture.test.ts';
import { MemorySocket } from './memory-socket-fixture.test.ts';
import { serveHttp2 } from './serve-http2.ts';
import type { ServerStream } from './server-stream.ts';
import { settle } from './waiting-fixture.test.ts';

const OK = [':status', '200'];

function serve(onStream: (stream: ServerStream) => void) {
  const socket = new MemorySocket();
  const bugs: unknown[] = [];
  const connection = serveHttp2(socket.asTls, {
    streamsMax: 100,
    now: () => 0,
    onFault: () => undefined,
    onBug: (bug) => bugs.push(bug),
    onStream,
  });
  return { socket, connection, bugs };
}

function typesOf(bytes: Buffer | undefined): number[] {
  return parseFrames(bytes ?? Buffer.alloc(0)).frames.map(({ type }) => type);
}

test('all that is due when the bytes that came have been read goes out in one write', async () => {
  const { socket } = serve((stream) => {
    stream.respond(OK);
    stream.write(Buffer.from('body'));
    stream.end(['grpc-status', '0']);
  });
  await settle();
  socket.written.length = 0;
  const requests = [1, 3, 5].map((id) => headerFrames(id, requestFields()));
  socket.come(Buffer.concat([PREFACE, settingsFrame(), ...requests]));
  assert.equal(socket.written.length, 1);
  assert.equal(typesOf(socket.written[0]).filter((type) => type === FrameType.HEADERS).length, 6);
  socket.destroy();
});

test('all that is written in one turn, on several connections, goes out in one write for each', async () => {
  const streams: ServerStream[] = [];
  const servers = [1, 2].map(() => serve((stream) => streams.push(stream)));
  for (const { socket } of servers) {
    const requests = [1, 3].map((id) => headerFrames(id, requestFields()));
    socket.come(Buffer.concat([PREFACE, settingsFrame(), ...requests]));
  }
  await settle();
  for (const { socket } of servers) socket.written.length = 0;
  for (const stream of streams) stream.respondOnly(OK);
  await settle();
  for (const { socket } of servers) {
    assert.deepEqual(socket.written.map(typesOf), [[FrameType.HEADERS, FrameType.HEADERS]]);
    socket.destroy();
  }
});

test('T-028a a socket that is full is given nothing more until it has room', async () => {
  const witness = new Witness();
  const { socket, connection } = serve((stream) => {
    stream.read(witness);
    stream.respond(OK);
    stream.write(Buffer.alloc(60_000));
    stream.end(['grpc-status', '0']);
  });
  socket.come(Buffer.concat([PREFACE, settingsFrame()]));
  socket.hasRoom = false;
  socket.come(headerFrames(1, requestFields()));
  const before = socket.written.length;
  for (const id of [3, 5, 7]) socket.come(headerFrames(id, requestFields()));
  await settle();
  assert.equal(socket.written.length, before);
  assert.ok(connection.unsentBytes >= 3 * 60_000);
  socket.hasRoom = true;
  socket.emit('drain');
  assert.ok(socket.written.length === before, 'not before the end of the turn');
  await settle();
  assert.ok(socket.written.length > before);
  socket.destroy();
});

test('a body that a reader of it fails on ends only its own connection, and what was due elsewhere is sent', async () => {
  const streams: ServerStream[] = [];
  const other = serve((stream) => streams.push(stream));
  other.socket.come(Buffer.concat([PREFACE, settingsFrame(), headerFrames(1, requestFields())]));
  const planted = new Error('planted');
  const failing = serve((stream) =>
    stream.read({
      data() {
        streams[0]?.respondOnly(OK);
        throw planted;
      },
      end() {},
      closed() {},
    }),
  );
  other.socket.written.length = 0;
  const request = [headerFrames(1, requestFields(), false), dataFrame(1, Buffer.from('body'))];
  failing.socket.come(Buffer.concat([PREFACE, settingsFrame(), ...request]));
  await settle();
  assert.deepEqual([failing.bugs, other.bugs], [[planted], []]);
  assert.deepEqual(other.socket.written.map(typesOf), [[FrameType.HEADERS]]);
  assert.equal(typesOf(Buffer.concat(failing.socket.written)).at(-1), FrameType.GOAWAY);
  for (const { socket } of [other, failing]) socket.destroy();
});

test('T-028a a connection that is destroyed while its socket is full tells its streams at once, and holds nothing', async () => {
  const witness = new Witness();
  const { socket, connection } = serve((stream) => {
    stream.read(witness);
    stream.respond(OK);
    stream.write(Buffer.alloc(1024 * 1024));
  });
  socket.hasRoom = false;
  socket.come(Buffer.concat([PREFACE, settingsFrame(), headerFrames(1, requestFields())]));
  assert.ok(connection.unsentBytes > 0);
  connection.destroy();
  assert.deepEqual([witness.told, connection.unsentBytes], [['end', 'closed 8'], 0]);
  socket.destroy();
});
