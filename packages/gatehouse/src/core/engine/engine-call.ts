import { type ClientHttp2Session, connect } from 'node:http2';
import { checkServerIdentity } from '#base/wire/check-server-identity';
import { toFrame } from '#base/wire/grpc-message';
import { decodeGrpcMessage } from '#base/wire/percent-encoding';

/** What a caller of the engine shows and trusts. Read anew for each connection, so that rotation takes effect. */
export interface EngineTls {
  readonly serverName: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface EngineAddress {
  readonly host: string;
  readonly port: number;
}

/** A finished unary call. `status` is the gRPC code; `body` is empty unless it is 0. */
export interface EngineAnswer {
  readonly status: number;
  readonly message: string;
  readonly body: Uint8Array;
}

/** One HTTP/2 connection to the engine, for the few calls that Gatehouse makes on its own behalf. */
export interface EngineSession {
  /**
   * @param path `/temporal.api.workflowservice.v1.WorkflowService/<method>`
   * @param token a `Bearer ...` value, or undefined for none.
   * @returns status 14 when the engine cannot be reached, 4 when it does not answer in time; never rejects.
   */
  call(
    path: string,
    message: Uint8Array,
    token: string | undefined,
    timeoutMs?: number,
  ): Promise<EngineAnswer>;
  close(): void;
}

const NOTHING = new Uint8Array(0);
/** The engine's own answers here are small; ListNamespaces of thousands stays below this. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** Opens a session that speaks TLS 1.3 only. The connection is made in the background; a fault shows in `call`. */
export function openEngineSession(address: EngineAddress, tls: EngineTls): EngineSession {
  let failure: string | undefined;
  const session: ClientHttp2Session = connect(`https://${address.host}:${address.port}`, {
    servername: tls.serverName,
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    checkServerIdentity,
    ALPNProtocols: ['h2'],
  });
  session.on('error', (error) => {
    failure = error.message;
  });
  session.on('close', () => {
    failure ??= 'connection closed';
  });
  return {
    call: (path, message, token, timeoutMs = 10_000) => {
      if (failure !== undefined || session.destroyed) {
        return Promise.resolve({ status: 14, message: failure ?? 'connection closed', body: NOTHING });
      }
      return callOnce(session, { path, message, token, timeoutMs }, () => failure);
    },
    close: () => session.destroy(),
  };
}

/** One call on a connection of its own. */
export async function callEngine(
  target: { readonly address: EngineAddress; readonly tls: EngineTls },
  path: string,
  message: Uint8Array,
  token: string | undefined,
  timeoutMs?: number,
): Promise<EngineAnswer> {
  const session = openEngineSession(target.address, target.tls);
  try {
    return await session.call(path, message, token, timeoutMs);
  } finally {
    session.close();
  }
}

interface Call {
  readonly path: string;
  readonly message: Uint8Array;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

function callOnce(
  session: ClientHttp2Session,
  call: Call,
  sessionFailure: () => string | undefined,
): Promise<EngineAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': call.path,
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-timeout': `${call.timeoutMs}m`,
      ...(call.token === undefined ? {} : { authorization: call.token }),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let outcome: { status: number; message: string } | undefined;
    const read = (headers: Readonly<Record<string, unknown>>): void => {
      const status = headers['grpc-status'];
      if (status === undefined) return;
      outcome = { status: Number(status), message: decodeGrpcMessage(String(headers['grpc-message'] ?? '')) };
    };
    const timer = setTimeout(() => {
      outcome = { status: 4, message: `no answer in ${call.timeoutMs} ms` };
      stream.destroy();
    }, call.timeoutMs);
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
      else stream.destroy();
    });
    stream.on('error', () => undefined);
    stream.on('close', () => {
      clearTimeout(timer);
      const done = outcome ?? { status: 14, message: sessionFailure() ?? 'the engine gave no status' };
      resolve({ ...done, body: done.status === 0 ? unframe(Buffer.concat(chunks)) : NOTHING });
    });
    stream.end(toFrame(call.message));
  });
}

function unframe(data: Buffer): Uint8Array {
  if (data.length < 5) return NOTHING;
  return data.subarray(5, 5 + data.readUInt32BE(1));
}
