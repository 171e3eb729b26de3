import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dataFrame,
  FrameType,
  headerFrames,
  PAYLOAD_BYTES_MAX,
  PREFACE,
  parseFrames,
  SETTINGS_ACK,
  settingsFrame,
} from '#base/http2/frames-fixture.test';
import { requestFields } from '#base/http2/http2-fixture.test';
import { MemorySocket } from '#base/http2/memory-socket-fixture.test';
import { serveHttp2 } from '#base/http2/serve-http2';
import { settle } from '#base/http2/waiting-fixture.test';
import type { HttpExchange } from './http-exchange.ts';
import { http2Exchange } from './http2-exchange.ts';

const MIB = 1024 * 1024;

/** A request whose body of 1 MiB, all that a client may send unasked, has come and whose end has not. */
async function openRequest(): Promise<{
  socket: MemorySocket;
  exchange: HttpExchange;
  granted: () => number;
}> {
  const socket = new MemorySocket();
  const exchanges: HttpExchange[] = [];
  serveHttp2(socket.asTls, {
    streamsMax: 10,
    now: () => 0,
    onFault: () => undefined,
    onBug: (bug) => assert.fail(String(bug)),
    onStream: (stream) => exchanges.push(http2Exchange(stream)),
  });
  socket.come(Buffer.concat([PREFACE, settingsFrame()]));
  await settle();
  // Only then are our windows in force.
  socket.come(Buffer.concat([SETTINGS_ACK, headerFrames(1, requestFields(), false)]));
  for (let sent = 0; sent < MIB; sent += PAYLOAD_BYTES_MAX) {
    socket.come(dataFrame(1, Buffer.alloc(PAYLOAD_BYTES_MAX), false));
  }
  await settle();
  const [exchange] = exchanges;
  assert.ok(exchange !== undefined);
  // How often more was asked for on this stream.
  const granted = (): number =>
    parseFrames(Buffer.concat(socket.written)).frames.filter(
      ({ type, stream }) => type === FrameType.WINDOW_UPDATE && stream === 1,
    ).length;
  return { socket, exchange, granted };
}

test('T-028 of a body that nobody reads yet no more comes than one window', async () => {
  const { socket, exchange, granted } = await openRequest();
  assert.equal(granted(), 0);
  let read = 0;
  exchange.body.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  await settle();
  assert.equal(read, MIB);
  assert.ok(granted() > 0);
  socket.destroy();
});

test('T-028 a body that nobody has read is read away once the request is answered', async () => {
  const { socket, exchange, granted } = await openRequest();
  exchange.answer(400, {}, 'no');
  await settle();
  assert.ok(granted() > 0);
  socket.destroy();
});
