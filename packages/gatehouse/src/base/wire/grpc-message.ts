import { createGunzip } from 'node:zlib';
import { refuse } from '#base/model/refusals';

/** The engine's own limit on one request (grpc-go's default; data-plane.md 5.4). */
export const REQUEST_BYTES_MAX: number = 4 * 1024 * 1024;
/** Clients of the SDKs raise their receive limit to this; the engine's replies are unlimited. */
export const REPLY_BYTES_MAX: number = 128 * 1024 * 1024;
export const PREFIX_BYTES = 5;

/** One gRPC message with its 5-byte prefix, uncompressed. The message is `frame[5, frame.length)`. */
export type GrpcFrame = Buffer;

/** Reads the length out of a prefix. */
export function frameLength(prefix: Uint8Array): number {
  return (
    (prefix[1] ?? 0) * 0x1000000 + (((prefix[2] ?? 0) << 16) | ((prefix[3] ?? 0) << 8) | (prefix[4] ?? 0))
  );
}

/**
 * Checks that the bytes are exactly one frame: a second message on a unary call, a truncated one or none
 * at all is refused (T-031).
 * @returns whether the message is compressed.
 */
export function checkSingleFrame(bytes: Uint8Array): boolean {
  if (bytes.length < PREFIX_BYTES) throw refuse('frame_malformed', { detail: 'no complete prefix' });
  const flag = bytes[0] ?? 0;
  if (flag > 1) throw refuse('frame_malformed', { detail: 'unknown flag' });
  if (frameLength(bytes) !== bytes.length - PREFIX_BYTES) {
    throw refuse('frame_malformed', { detail: 'the length does not match the bytes that came' });
  }
  return flag === 1;
}

/** Puts a prefix before a message. */
export function toFrame(message: Uint8Array): GrpcFrame {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/**
 * Inflates a gzip message, stopping at the limit (T-032: a bomb is refused after `bytesMax` bytes of output).
 * Exactly one gzip member is accepted.
 */
export function gunzipFrame(frame: Uint8Array, bytesMax: number): Promise<GrpcFrame> {
  return new Promise((resolve, reject) => {
    const gunzip = createGunzip();
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: Error): void => {
      gunzip.destroy();
      reject(error);
    };
    gunzip.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax) fail(refuse('message_too_large', { detail: 'inflated size' }));
      else chunks.push(chunk);
    });
    gunzip.on('error', () => fail(refuse('frame_malformed', { detail: 'not gzip' })));
    gunzip.on('end', () => {
      const consumed = gunzip.bytesWritten;
      if (consumed !== frame.length - PREFIX_BYTES)
        return fail(refuse('frame_malformed', { detail: 'bytes after gzip' }));
      const message = Buffer.concat(chunks, size);
      if (memberSize(frame) !== size)
        return fail(refuse('frame_malformed', { detail: 'more than one gzip member' }));
      return resolve(toFrame(message));
    });
    gunzip.end(frame.subarray(PREFIX_BYTES));
  });
}

/** The size that the last gzip member states (RFC 1952, ISIZE): differs from the whole if there are several. */
function memberSize(frame: Uint8Array): number {
  const end = frame.length;
  const at = (index: number): number => frame[index] ?? 0;
  return ((at(end - 1) << 24) | (at(end - 2) << 16) | (at(end - 3) << 8) | at(end - 4)) >>> 0;
}
