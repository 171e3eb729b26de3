import { Http2Code } from '#base/http2/error-codes';
import type { ServerStream } from '#base/http2/server-stream';

/** What a caller may go on sending after it was answered: more is cut off (RFC 9113 section 8.1). */
const DISCARDED_BYTES_MAX = 65_536;

/** Counts what comes of a refused message once its answer has been written. @returns how much did. */
export function discard(stream: ServerStream, bytes: number, before: number): number {
  // The record may still be waited for: whoever is cut off now would never hear why.
  if (!stream.isAnswered) return before;
  const discarded = before + bytes;
  if (discarded > DISCARDED_BYTES_MAX) stream.reset(Http2Code.NO_ERROR);
  return discarded;
}
