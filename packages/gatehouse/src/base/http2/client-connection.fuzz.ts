import { SETTINGS_ACK, settingsFrame } from './frames-fixture.test.ts';
import { hostileBytes, hostileSeeds, hostileWords } from './hostile-bytes-fixture.test.ts';
import { MemorySocket } from './memory-socket-fixture.test.ts';
import { CLIENT_LIMITS, loadNghttp2, serveWell } from './native-fixture.test.ts';
import { StreamOrder } from './stream-order-fixture.test.ts';

const { memoryBytes } = await loadNghttp2();
const { ClientConnection } = await import('./client-connection.ts');
const MEMORY_BYTES_MAX = 32 * 1024 * 1024;
const BEGINNING = Buffer.concat([settingsFrame(), SETTINGS_ACK]);
const REQUEST = [':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', '/it'];
/** Bits of the first byte: a server that does not read, one of whose requests we cancel, one that takes few. */
const READS_NOTHING = 4;
const IS_CANCELLED = 8;
const TAKES_FEW = 16;

/**
 * Whatever a server sends: nothing throws, every request is told its end once and last, nothing is held of requests
 * or connections that have gone, and other connections go on.
 */
export async function fuzz(input: Buffer): Promise<void> {
  const { pieces, mode } = hostileBytes(input, BEGINNING);
  const socket = new MemorySocket();
  const errors: unknown[] = [];
  const peerStreamsMax = (mode & TAKES_FEW) === 0 ? 100 : 2;
  const connection = new ClientConnection(
    socket.asTls,
    { ...CLIENT_LIMITS, peerStreamsMax },
    { onGoaway: () => undefined, onError: (error) => errors.push(error) },
  );
  socket.hasRoom = (mode & READS_NOTHING) === 0;
  const orders: StreamOrder[] = [];
  const ask = (bytes: number): void => {
    const order = new StreamOrder();
    const stream = connection.request(REQUEST, Buffer.alloc(bytes), order);
    if (stream === undefined) return;
    orders.push(order);
    if (orders.length === 2) stream.pace();
    order.onData = ({ length }) => setImmediate(() => stream.consume(length));
    if (orders.length === 3 && (mode & IS_CANCELLED) !== 0) setImmediate(() => stream.reset(8));
  };
  for (const bytes of [0, 10, 100_000, 0]) ask(bytes);
  await new Promise((resolve) => setImmediate(resolve));
  for (const piece of pieces) socket.come(piece);
  ask(10);
  await new Promise((resolve) => setImmediate(resolve));
  socket.hasRoom = true;
  socket.emit('drain');
  await new Promise((resolve) => setImmediate(resolve));
  let isGone = socket.destroyed;
  connection.onClose(() => {
    isGone = true;
  });
  socket.destroy();
  await new Promise((resolve) => setImmediate(resolve));

  for (const error of errors) {
    if (!/^HTTP\/2 with the engine failed: nghttp2 says -\d+$/.test(String((error as Error).message)))
      throw new Error('a fault of ours', { cause: error });
  }
  if (!isGone) throw new Error('the connection has not gone');
  for (const order of orders) order.check();
  if (connection.unsentBytes !== 0) throw new Error(`${connection.unsentBytes} bytes are held`);
  await serveWell();
  if (memoryBytes() > MEMORY_BYTES_MAX) throw new Error(`${memoryBytes()} bytes of memory`);
}

export function seeds(): Generator<Uint8Array> {
  return hostileSeeds('server');
}

export const dictionary: readonly (string | Uint8Array)[] = hostileWords;
