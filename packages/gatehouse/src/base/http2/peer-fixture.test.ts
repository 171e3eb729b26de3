// No test itself: one request by the runtime's client, and all that came of it.

import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { until } from './waiting-fixture.test.ts';

/** All that the runtime's client was told of a stream. */
export interface PeerAnswerSeen {
  readonly stream: ClientHttp2Stream;
  /** Names and values in turn. */
  readonly head: readonly string[];
  readonly informed: readonly string[];
  readonly trailers: readonly string[];
  readonly body: Buffer;
  /** Of RST_STREAM; 0 where there was none. */
  readonly code: number;
}

/** A request without its body: whoever asks writes that, or ends. */
export function openCall(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': '/it', ...headers }, { endStream: false });
  stream.on('error', () => undefined);
  return stream;
}

/** Resolves when the stream is closed, however that came about. @throws Error where it is not closed in time. */
export async function answerOf(stream: ClientHttp2Stream): Promise<PeerAnswerSeen> {
  const chunks: Buffer[] = [];
  const heads: Record<'head' | 'informed' | 'trailers', readonly string[]> = {
    head: [],
    informed: [],
    trailers: [],
  };
  const keep =
    (place: keyof typeof heads) =>
    (_headers: unknown, _flags: number, raw: string[]): void => {
      heads[place] = raw;
    };
  stream.on('response', keep('head'));
  stream.on('headers', keep('informed'));
  stream.on('trailers', keep('trailers'));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await until(() => stream.destroyed, 'the end of a call');
  return { stream, ...heads, body: Buffer.concat(chunks), code: stream.rstCode ?? 0 };
}

/** One whole call. */
export function call(
  session: ClientHttp2Session,
  body: Buffer | string = '',
  headers: OutgoingHttpHeaders = {},
): Promise<PeerAnswerSeen> {
  const stream = openCall(session, headers);
  const answer = answerOf(stream);
  stream.end(body);
  return answer;
}
