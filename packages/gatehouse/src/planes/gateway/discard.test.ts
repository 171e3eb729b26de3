import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FrameType,
  headerFrames,
  PREFACE,
  parseFrames,
  settingsFrame,
} from '#base/http2/frames-fixture.test';
import { requestFields } from '#base/http2/http2-fixture.test';
import { MemorySocket } from '#base/http2/memory-socket-fixture.test';
import { serveHttp2 } from '#base/http2/serve-http2';
import type { ServerStream } from '#base/http2/server-stream';
import { settle } from '#base/http2/waiting-fixture.test';
import { discard } from './discard.ts';

test('T-028 who goes on sending is cut off once he has been answered, and not while his record is waited for', async () => {
  const socket = new MemorySocket();
  const streams: ServerStream[] = [];
  serveHttp2(socket.asTls, {
    streamsMax: 10,
    now: () => 0,
    onFault: () => undefined,
    onBug: (bug) => assert.fail(String(bug)),
    onStream: (stream) => streams.push(stream),
  });
  socket.come(Buffer.concat([PREFACE, settingsFrame(), headerFrames(1, requestFields(), false)]));
  const [stream] = streams;
  assert.ok(stream !== undefined);
  assert.equal(discard(stream, 100_000, 0), 0);
  stream.respondOnly([':status', '200', 'grpc-status', '8']);
  assert.equal(discard(stream, 100_000, 0), 100_000);
  await settle();
  assert.equal(stream.isClosed, true);
  const told = parseFrames(Buffer.concat(socket.written)).frames.filter((frame) => frame.stream === 1);
  assert.deepEqual(
    told.map(({ type }) => type),
    [FrameType.HEADERS, FrameType.RST_STREAM],
  );
  socket.destroy();
});
