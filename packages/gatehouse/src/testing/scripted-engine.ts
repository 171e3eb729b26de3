import { createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { toFrame } from '#base/wire/grpc-message';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';

/** One request that reached the engine. */
export interface SeenCall {
  /** The method's name alone. */
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** What the engine answers; by default OK with an empty message. */
export interface ScriptedAnswer {
  readonly status?: number;
  readonly message?: string;
  /** The reply's bytes. */
  readonly body?: Uint8Array;
  /** The HTTP/2 error code that the stream is reset with once its head is sent, in place of all else. */
  readonly resetAfterHead?: number;
  /** Further trailers, as they are. */
  readonly trailers?: Readonly<Record<string, string>>;
}

export interface ScriptedEngine {
  readonly port: number;
  readonly seen: SeenCall[];
  /** Set by a test. */
  answer: (call: SeenCall) => ScriptedAnswer | Promise<ScriptedAnswer>;
  close(): void;
}

export interface ScriptedEngineTls {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate of this CA. */
  readonly clientCa: string;
}

/** Speaks as the engine's frontend does, mutual TLS included, and says whatever a test wants it to say. */
export async function startScriptedEngine(tls: ScriptedEngineTls): Promise<ScriptedEngine> {
  const server = createSecureServer({
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', async () => {
      const path = String(headers[':path']);
      const method = path.slice(path.lastIndexOf('/') + 1);
      const call = { method, path, headers, body: Buffer.concat(chunks).subarray(5) };
      engine.seen.push(call);
      const answer = await engine.answer(call);
      if (stream.destroyed) return;
      if (answer.resetAfterHead !== undefined) {
        // Trailers that are waited for keep the runtime from ending the stream well.
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        return stream.close(answer.resetAfterHead);
      }
      const ends = trailersOf(answer);
      if (ends['grpc-status'] !== '0')
        return stream.respond({ ':status': 200, ...ends }, { endStream: true });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(ends));
      return stream.end(toFrame(answer.body ?? new Uint8Array(0)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const engine: ScriptedEngine = {
    port: (server.address() as AddressInfo).port,
    seen: [],
    answer: () => ({}),
    close: () => {
      server.close();
      for (const session of sessions) session.destroy();
    },
  };
  return engine;
}

function trailersOf({ status = 0, message = '', trailers = {} }: ScriptedAnswer): Record<string, string> {
  const text = message === '' ? {} : { 'grpc-message': encodeGrpcMessage(message) };
  return { 'grpc-status': String(status), ...text, ...trailers };
}
