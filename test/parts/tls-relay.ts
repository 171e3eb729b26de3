import { type AddressInfo, createServer } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';

/** For programs that cannot show a client certificate: bytes go on, both ways, over TLS made by us. */
export interface TlsRelay {
  /** On the loopback. */
  readonly port: number;
  close(): void;
}

export async function startTlsRelay(target: ConnectionOptions): Promise<TlsRelay> {
  const server = createServer({ noDelay: true }, (plain) => {
    const secure = connect(target);
    plain.pipe(secure).pipe(plain);
    for (const [side, other] of [
      [plain, secure],
      [secure, plain],
    ] as const) {
      side.on('error', () => undefined);
      side.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}
