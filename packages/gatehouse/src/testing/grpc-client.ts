import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { EndpointFile } from '#app/endpoint-file';
import { messageType } from '#base/proto/api-registry';
import { decodeGrpcMessage } from '#base/wire/percent-encoding';

/** A raw gRPC client: everything that a stranger could choose is a parameter. */
export interface RawClient {
  call(path: string, message: Uint8Array, options?: CallOptions): Promise<RawAnswer>;
  readonly session: ClientHttp2Session;
  close(): void;
}

export interface CallOptions {
  /** Added to, or put in place of, the usual headers. A list sends the header several times. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** The bytes as they are, with no prefix put before them. */
  readonly rawBody?: boolean;
  readonly timeoutMs?: number;
}

export interface RawAnswer {
  /** gRPC status; -1 where the stream or the connection ended without one. */
  readonly status: number;
  readonly message: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Why there was no status. */
  readonly failure: string;
}

export interface RawClientOptions {
  readonly endpoint: EndpointFile;
  /** Whose certificate; null for none. */
  readonly certificateOf: string | null;
  readonly serverName: string;
  readonly tls?: ConnectionOptions;
}

/** Connects; a handshake that is refused shows as a failed call. */
export function openRawClient(options: RawClientOptions): RawClient {
  const { endpoint } = options;
  const [host = '', port = ''] = endpoint.grpc.split(':');
  const namespace = endpoint.namespaces.find(({ id }) => id === options.certificateOf);
  const session = connect(`https://${options.serverName}`, {
    createConnection: () =>
      connectTls({
        host,
        port: Number(port),
        servername: options.serverName,
        ca: readFileSync(endpoint.serverCa),
        ALPNProtocols: ['h2'],
        ...(namespace === undefined
          ? {}
          : { cert: readFileSync(namespace.clientCert), key: readFileSync(namespace.clientKey) }),
        ...options.tls,
      }),
  });
  let failure = '';
  session.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  return {
    session,
    call: (path, message, callOptions = {}) => callOnce(session, path, message, callOptions, () => failure),
    close: () => session.destroy(),
  };
}

/** After its deadline a call gets this much longer to be answered by the other side. */
const GRACE_MS = 2000;
const DEADLINE_EXCEEDED = '4';

function callOnce(
  session: ClientHttp2Session,
  path: string,
  message: Uint8Array,
  options: CallOptions,
  failureOf: () => string,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const { timeoutMs = 20_000 } = options;
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    const finish = (failure: string): void => {
      const statusText = trailers['grpc-status'] ?? headers['grpc-status'];
      const text = trailers['grpc-message'] ?? headers['grpc-message'] ?? '';
      resolve({
        status: typeof statusText === 'string' ? Number(statusText) : -1,
        message: decodeGrpcMessage(String(text)),
        body: Buffer.concat(chunks).subarray(5),
        headers: { ...headers, ...trailers },
        failure,
      });
    };
    if (session.destroyed || session.closed) return finish(failureOf() || 'closed');
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${timeoutMs}m`,
      ...options.headers,
    });
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received: Record<string, unknown>) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    // As gRPC clients do. Besides, a client on Node is never told of a reset that comes with the end of its handshake.
    const patience = setTimeout(() => {
      trailers = { 'grpc-status': DEADLINE_EXCEEDED };
      finish('no answer in time');
      stream.destroy();
    }, timeoutMs + GRACE_MS);
    stream.on('close', () => {
      clearTimeout(patience);
      finish(failureOf() || `rst ${stream.rstCode}`);
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    return stream.end(options.rawBody === true ? message : Buffer.concat([prefix, message]));
  });
}

export const WORKFLOW_SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

/** Encodes a message of the engine's API by its short name, such as `workflowservice.v1.StartWorkflowExecutionRequest`. */
export function encode(name: string, fields: Record<string, unknown>): Uint8Array {
  const type = messageType(`temporal.api.${name}`);
  return toBinary(type, create(type, fields as MessageInitShape<DescMessage>));
}

/** Decodes a message of the engine's API by its short name. */
// biome-ignore lint/suspicious/noExplicitAny: messages are dynamic here, and tests name the fields they expect.
export function decode(name: string, bytes: Uint8Array): any {
  return fromBinary(messageType(`temporal.api.${name}`), bytes);
}
