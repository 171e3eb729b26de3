import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A TCP connection from which nothing has been read. */
export type TcpConnection = Socket;

/** @param handshakeOver to be called once when the connection's handshake is over, one way or the other. */
export type AcceptConnection = (connection: TcpConnection, handshakeOver: () => void) => void;

/** Connections that somebody else accepts, for a listener that has no port of its own. */
export interface Incoming {
  /** Where they are accepted. */
  readonly address: { readonly host: string; readonly port: number };
  receive(accept: AcceptConnection): void;
}

export interface TcpDoorOptions {
  readonly host: string;
  readonly port: number;
  /**
   * Asked before anything is spent on a connection. @returns what is called once when its handshake is over,
   * or undefined: then the connection is reset.
   */
  readonly beginHandshake?: ((address: string) => (() => void) | undefined) | undefined;
  readonly accept: AcceptConnection;
  /** @param peer `address:port`; empty where the connection has gone already. */
  readonly onRefused: (peer: string) => void;
}

/** A port whose connections are handed on as they come, unread. */
export interface TcpDoor {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more connections. */
  close(): void;
}

/** Listens for connections; what is refused here never costs a handshake. @throws Error where the address cannot be had. */
export async function openTcpDoor(options: TcpDoorOptions): Promise<TcpDoor> {
  // Paused: a byte that is read here is lost to a process that gets the connection.
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (connection) =>
    admit(connection, options),
  );
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

function admit(connection: TcpConnection, { beginHandshake, accept, onRefused }: TcpDoorOptions): void {
  // Asked for once, the address is remembered: a socket that has gone cannot tell it, and its record needs it.
  const { remoteAddress = '', remotePort = 0 } = connection;
  const handshakeOver = beginHandshake === undefined ? () => undefined : beginHandshake(remoteAddress);
  if (handshakeOver !== undefined) return accept(connection, handshakeOver);
  connection.on('error', () => undefined);
  connection.resetAndDestroy();
  onRefused(remoteAddress === '' ? '' : `${remoteAddress}:${remotePort}`);
}
