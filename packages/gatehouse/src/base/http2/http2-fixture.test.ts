// No test itself: our side of HTTP/2 on real TLS, and the runtime's own HTTP/2 on the other side.

import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createSecureServer,
  type SecureClientSessionOptions,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { hostOf, makeTwoTenants, TENANT } from '#testing/two-tenants';
import { ClientConnection } from './client-connection.ts';
import type { Http2Fault } from './connection-watch.ts';
import type { HeaderFields } from './header-fields.ts';
import type { StreamReader } from './http2-stream.ts';
import { CLIENT_LIMITS } from './native-fixture.test.ts';
import type { NativeLimits } from './nghttp2.ts';
import { serveHttp2 } from './serve-http2.ts';
import type { ServerConnection } from './server-connection.ts';
import type { ServerStream } from './server-stream.ts';
import { until } from './waiting-fixture.test.ts';

const STREAMS_MAX = 1000;
const HOST = hostOf(TENANT);

interface Certified {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

let made: Promise<Certified> | undefined;

/** Keys take a while: once for a file. */
async function certify(): Promise<Certified> {
  const { gateway, close } = await makeTwoTenants();
  close();
  return {
    cert: gateway.identity.certificate,
    key: gateway.identity.privateKey,
    ca: gateway.decoyCaPem,
  };
}

async function certified(): Promise<Certified> {
  made ??= certify();
  return await made;
}

/** How clients reach what was started here. */
async function clientTls(port: number) {
  const { ca } = await certified();
  return { host: '127.0.0.1', port, servername: HOST, ca, ALPNProtocols: ['h2'] };
}

export interface TestServer {
  readonly port: number;
  readonly connections: ServerConnection[];
  readonly sockets: TLSSocket[];
  readonly bugs: unknown[];
  readonly faults: Http2Fault[];
}

/** Our server. @param streamsMax that a client may have open at once. */
export async function startServer(
  t: TestContext,
  onStream: (stream: ServerStream, connection: ServerConnection) => void,
  streamsMax: number = STREAMS_MAX,
): Promise<TestServer> {
  const { cert, key } = await certified();
  const connections: ServerConnection[] = [];
  const sockets: TLSSocket[] = [];
  const bugs: unknown[] = [];
  const faults: Http2Fault[] = [];
  const listener = createServer({ cert, key, ALPNProtocols: ['h2'], minVersion: 'TLSv1.3' }, (socket) => {
    sockets.push(socket);
    const connection = serveHttp2(socket, {
      streamsMax,
      now: () => performance.now(),
      onFault: (fault) => faults.push(fault),
      onBug: (error) => bugs.push(error),
      onStream: (stream) => onStream(stream, connection),
    });
    connections.push(connection);
  });
  const port = await listen(listener);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return { port, connections, sockets, bugs, faults };
}

/** The runtime's client. */
export async function connectPeer(
  t: TestContext,
  port: number,
  options: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ...(await clientTls(port)), ...options });
  session.on('error', () => undefined);
  t.after(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** A client that speaks TLS and nothing else: frames are the test's. */
export async function connectTls(t: TestContext, port: number): Promise<TLSSocket> {
  const socket = connect({ ...(await clientTls(port)), minVersion: 'TLSv1.3' });
  socket.on('error', () => undefined);
  // Round trips are many, and small.
  socket.setNoDelay(true);
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

export interface PeerServer {
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
}

export type PeerAnswer = (stream: ServerHttp2Stream, rawHeaders: readonly string[]) => void;

/** The runtime's server. */
export async function startPeerServer(
  t: TestContext,
  answer: PeerAnswer,
  options: SecureServerOptions = {},
): Promise<PeerServer> {
  const { cert, key } = await certified();
  const sessions: ServerHttp2Session[] = [];
  const server = createSecureServer({ cert, key, ...options });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream, _headers: object, _flags: number, rawHeaders: string[]) => {
    stream.on('error', () => undefined);
    answer(stream, rawHeaders);
  });
  const port = await listen(server);
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port, sessions };
}

/** A server that speaks TLS and nothing else. */
export async function startTlsServer(t: TestContext, onSocket: (socket: TLSSocket) => void): Promise<number> {
  const { cert, key } = await certified();
  const listener = createServer({ cert, key, ALPNProtocols: ['h2'], minVersion: 'TLSv1.3' }, (socket) => {
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    onSocket(socket);
  });
  t.after(() => listener.close());
  return await listen(listener);
}

export interface TestClient {
  readonly connection: ClientConnection;
  readonly socket: TLSSocket;
  readonly errors: unknown[];
  readonly goaways: { count: number };
}

/** Our client. */
export async function openClient(
  t: TestContext,
  port: number,
  limits: Partial<NativeLimits> = {},
): Promise<TestClient> {
  const socket = await connectTls(t, port);
  const errors: unknown[] = [];
  const goaways = { count: 0 };
  const connection = new ClientConnection(
    socket,
    { ...CLIENT_LIMITS, ...limits },
    {
      onGoaway: () => {
        goaways.count += 1;
      },
      onError: (error) => errors.push(error),
    },
  );
  return { connection, socket, errors, goaways };
}

async function listen(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): AddressInfo | string | null;
}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Headers of a request, as a client of gRPC sends them. */
export function requestFields(...more: readonly string[]): HeaderFields {
  return [':method', 'POST', ':scheme', 'https', ':authority', HOST, ':path', '/it', ...more];
}

/** Writes down what a stream is told. */
export class Witness implements StreamReader {
  /** `headers`, `data`, `end` and `closed` with its code, as they came; pieces of data that follow each other are one. */
  readonly told: string[] = [];
  readonly fields: HeaderFields[] = [];
  readonly chunks: Buffer[] = [];
  bytes = 0;
  code: number | undefined;
  readonly #onData: (chunk: Buffer) => void;

  constructor(onData: (chunk: Buffer) => void = () => undefined) {
    this.#onData = onData;
  }

  /** @returns the code that the stream is closed with. @throws Error where it is not closed in time. */
  async whenClosed(): Promise<number> {
    await until(() => this.code !== undefined, 'the end of a stream');
    return this.code ?? 0;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  headers(fields: HeaderFields): void {
    this.told.push('headers');
    this.fields.push(fields);
  }

  data(chunk: Buffer): void {
    if (this.told.at(-1) !== 'data') this.told.push('data');
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.#onData(chunk);
  }

  end(): void {
    this.told.push('end');
  }

  closed(code: number): void {
    this.told.push(`closed ${code}`);
    this.code = code;
  }
}
