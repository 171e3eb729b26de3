import type { Http2Fault } from './connection-watch.ts';
import { PREFACE, SETTINGS_ACK, settingsFrame } from './frames-fixture.test.ts';
import { hostileBytes, hostileSeeds, hostileWords } from './hostile-bytes-fixture.test.ts';
import { MemorySocket } from './memory-socket-fixture.test.ts';
import { loadNghttp2, serveWell } from './native-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { StreamOrder } from './stream-order-fixture.test.ts';

const { memoryBytes } = await loadNghttp2();
const { serveHttp2 } = await import('./serve-http2.ts');
const MEMORY_BYTES_MAX = 32 * 1024 * 1024;
const BEGINNING = Buffer.concat([PREFACE, settingsFrame(), SETTINGS_ACK]);
const OK = [':status', '200'];
/** Bits of the first byte: a client that does not read what we send, one that hangs up, one that is cut off. */
const READS_NOTHING = 4;
const HANGS_UP = 8;

/** How calls are served, by their streams in turn. */
const ways: readonly ((stream: ServerStream, order: StreamOrder) => void)[] = [
  (stream) => stream.respondOnly(OK),
  (stream, order) => {
    stream.respond(OK);
    order.onData = (chunk) => stream.write(chunk);
    order.onEnd = () => stream.end(['grpc-status', '0']);
  },
  (stream, order) => {
    stream.pace();
    order.onData = ({ length }) => setImmediate(() => stream.consume(length));
    order.onEnd = () => stream.respondOnly(OK);
  },
  (stream) => {
    stream.respond(OK);
    stream.write(Buffer.alloc(100_000));
    stream.end();
  },
  (stream) => stream.reset(8),
  (stream, order) => {
    stream.inform([':status', '103']);
    order.onData = () => stream.reset(0);
  },
  (stream) => stream.pace(),
];

/**
 * Whatever a client sends: no fault of ours, every call is told its end once and last, nothing is held of
 * calls or connections that have gone, and other connections go on.
 */
export async function fuzz(input: Buffer): Promise<void> {
  const { pieces, mode } = hostileBytes(input, BEGINNING);
  const socket = new MemorySocket();
  const orders: StreamOrder[] = [];
  const bugs: unknown[] = [];
  const faults: Http2Fault[] = [];
  const connection = serveHttp2(socket.asTls, {
    streamsMax: 100,
    now: () => 0,
    onFault: (fault) => faults.push(fault),
    onBug: (bug) => bugs.push(bug),
    onStream: (stream) => {
      const order = new StreamOrder(stream);
      orders.push(order);
      stream.read(order);
      ways[(stream.id >> 1) % ways.length]?.(stream, order);
    },
  });
  socket.hasRoom = (mode & READS_NOTHING) === 0;
  for (const piece of pieces) socket.come(piece);
  await new Promise((resolve) => setImmediate(resolve));
  socket.hasRoom = true;
  socket.emit('drain');
  await new Promise((resolve) => setImmediate(resolve));
  if ((mode & HANGS_UP) !== 0) socket.emit('end');
  let isGone = false;
  connection.onClose(() => {
    isGone = true;
  });
  socket.destroy();
  await new Promise((resolve) => setImmediate(resolve));

  if (bugs.length > 0) throw new Error('a fault of ours', { cause: bugs[0] });
  if (!isGone) throw new Error('the connection has not gone');
  for (const order of orders) order.check();
  if (connection.openStreamCount !== 0) throw new Error(`${connection.openStreamCount} streams are left`);
  if (connection.unsentBytes !== 0) throw new Error(`${connection.unsentBytes} bytes are held`);
  if (faults.length > 1 + orders.length) throw new Error(`${faults.length} faults of one connection`);
  await serveWell();
  if (memoryBytes() > MEMORY_BYTES_MAX) throw new Error(`${memoryBytes()} bytes of memory`);
}

export function seeds(): Generator<Uint8Array> {
  return hostileSeeds('client');
}

export const dictionary: readonly (string | Uint8Array)[] = hostileWords;
