import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { PreparedCall } from './requests.ts';

/** Makes one call. @throws Error with status and text when it is not OK. */
export function callUnary(session: ClientHttp2Session, call: PreparedCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(call.headers);
    const failure = watchFailure(stream);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('close', () => {
      const text = failure();
      if (text !== undefined) reject(new Error(text));
      else resolve(Buffer.concat(chunks).subarray(5));
    });
    stream.end(call.body);
  });
}

/**
 * Notes how a gRPC stream ends.
 * @returns what went wrong, to be asked when the stream is closed; `undefined` for status 0.
 */
export function watchFailure(stream: ClientHttp2Stream): () => string | undefined {
  let status: string | undefined;
  let detail = '';
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    if (headers['grpc-status'] === undefined) return;
    status = String(headers['grpc-status']);
    detail = String(headers['grpc-message'] ?? '');
  };
  // A refusal comes in the first headers (trailers-only), an answer in the trailers.
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('error', (error) => {
    detail = error.message;
  });
  return () => (status === '0' ? undefined : `a call failed: ${status ?? 'reset'} ${detail}`);
}
