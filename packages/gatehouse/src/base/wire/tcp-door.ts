import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A TCP connection from which nothing has been read. */
export type TcpConnection = Socket;

/** Connections that somebody else accepts, for a listener that has no port of its own. */
export interface Incoming {
  /** Where they are accepted. */
  readonly address: { readonly host: string; readonly port: number };
  /** @param accept takes a connection, and what it must call once when its handshake is over. */
  receive(accept: (connection: TcpConnection, handshakeOver: () => void) => void): void;
}

/** A port whose connections are handed on as they come, unread. */
export interface TcpDoor {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more connections. */
  close(): void;
}

/** Listens for connections that another process is to serve. @throws Error where the address cannot be had. */
export async function openTcpDoor(options: {
  readonly host: string;
  readonly port: number;
  readonly onConnection: (connection: TcpConnection) => void;
}): Promise<TcpDoor> {
  // Paused: a byte that this process reads is lost to the one that gets the connection.
  const server = createServer({ noDelay: true, pauseOnConnect: true }, options.onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  return { address: { host: address, port }, close: () => void server.close() };
}
