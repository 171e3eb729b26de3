import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

/** How a link treats what passes: as it is, or worse. */
export type Weather =
  | 'fair'
  /** Each piece comes this much later. */
  | { readonly delayMs: number }
  /** One byte at a time, this far apart. */
  | { readonly trickleMs: number }
  /** Both sides believe that it is open, and nothing passes any more. */
  | 'half-open';

/** A link between a client and a server that a test makes bad. */
export interface TcpProxy {
  readonly port: number;
  readonly open: number;
  /** From now on, for connections of before too. */
  weather: Weather;
  /** Ends every connection with RST, as a device does that has lost its table. */
  resetAll(): void;
  close(): void;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dial(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    pass(client, upstream, () => proxy.weather);
    pass(upstream, client, () => proxy.weather);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('no port');
  const proxy: TcpProxy = {
    port: at.port,
    get open() {
      return sockets.size;
    },
    weather: 'fair',
    resetAll() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return proxy;
}

function pass(from: Socket, to: Socket, weather: () => Weather): void {
  // In order, whatever the weather was when each piece came.
  let sent = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    sent = sent.then(() => carry(chunk, to, weather()));
  });
  from.on('end', () => {
    sent = sent.then(() => void (weather() === 'half-open' || to.end()));
  });
  from.on('close', (hadError) => {
    if (weather() === 'half-open') return;
    if (hadError) to.resetAndDestroy();
    else sent.then(() => to.destroySoon());
  });
}

async function carry(chunk: Buffer, to: Socket, weather: Weather): Promise<void> {
  if (weather === 'half-open' || to.destroyed) return;
  if (weather === 'fair') return void to.write(chunk);
  if ('delayMs' in weather) {
    await pause(weather.delayMs);
    return void to.write(chunk);
  }
  for (const byte of chunk) {
    if (to.destroyed) return;
    to.write(Buffer.of(byte));
    await pause(weather.trickleMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
