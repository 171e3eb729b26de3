import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const taken = (server.address() as AddressInfo).port;
      server.close(() => resolve(taken));
    });
  });
}

/**
 * The port that was asked for, whether free or not (a clash must be told, not hidden); else the usual one,
 * or a free one where that is taken.
 */
export async function choosePort(wanted: number | undefined, usual: number): Promise<number> {
  if (wanted !== undefined && wanted !== 0) return wanted;
  if (wanted === undefined && (await tryPort(usual)) !== undefined) return usual;
  return (await tryPort(0)) ?? 0;
}
