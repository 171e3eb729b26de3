import { crc32, createInflateRaw } from 'node:zlib';
import { refuse } from '#base/model/refusals';
import { splitGzipMember } from './gzip-member.ts';

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
export async function gunzipFrame(frame: Uint8Array, bytesMax: number): Promise<GrpcFrame> {
  const member = splitGzipMember(frame.subarray(PREFIX_BYTES));
  if (member === undefined) throw refuse('frame_malformed', { detail: 'not gzip' });
  const message = await inflate(member.deflated, bytesMax);
  if (member.size !== message.length || member.crc32 !== crc32(message)) {
    throw refuse('frame_malformed', { detail: 'wrong gzip checksum or size' });
  }
  return toFrame(message);
}

function inflate(deflated: Uint8Array, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = createInflateRaw();
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: Error): void => {
      stream.destroy();
      reject(error);
    };
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax) fail(refuse('message_too_large', { detail: 'inflated size' }));
      else chunks.push(chunk);
    });
    stream.on('error', () => fail(refuse('frame_malformed', { detail: 'not gzip' })));
    stream.on('end', () => {
      // Also a second member, of which a decoder would append the content.
      if (stream.bytesWritten !== deflated.length)
        return fail(refuse('frame_malformed', { detail: 'bytes after gzip' }));
      return resolve(Buffer.concat(chunks, size));
    });
    stream.end(deflated);
  });
}
