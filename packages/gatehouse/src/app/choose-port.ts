import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** @returns the port, or the error's code where it cannot be had. */
function tryPort({ host, port }: ListenAddress): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
    server.listen({ host, port, exclusive: true }, () => {
      const taken = (server.address() as AddressInfo).port;
      server.close(() => resolve(taken));
    });
  });
}

/**
 * A loopback port: the one that was asked for, else the usual one, or a free one where that is taken.
 * @throws Error where the one that was asked for cannot be had: a clash must be told, not hidden.
 */
export async function choosePort(wanted: number | undefined, usual: number): Promise<number> {
  const host = '127.0.0.1';
  if (wanted !== undefined && wanted !== 0) {
    await requireFree('--port', { host, port: wanted });
    return wanted;
  }
  if (wanted === undefined && typeof (await tryPort({ host, port: usual })) === 'number') return usual;
  const free = await tryPort({ host, port: 0 });
  return typeof free === 'number' ? free : 0;
}

/** Before anything is started. @throws Error that names the setting. */
export async function requireFree(setting: string, address: ListenAddress): Promise<void> {
  const answer = await tryPort(address);
  if (typeof answer === 'number') return;
  const place = `${address.host}:${address.port}`;
  if (answer === 'EADDRINUSE') {
    throw new Error(`${setting}: ${place} is in use by another process; stop it, or choose another port`);
  }
  throw new Error(`${setting}: ${place} cannot be listened on (${answer})`);
}
