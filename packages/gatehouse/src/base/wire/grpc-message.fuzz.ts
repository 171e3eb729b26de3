import { gunzipSync, gzipSync } from 'node:zlib';
import { Refusal } from '#base/model/refusals';
import { ByteSource } from '#testing/fuzz/byte-source';
import { changeByte } from '#testing/fuzz/tampering';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { checkSingleFrame, frameLength, gunzipFrame, PREFIX_BYTES, toFrame } from './grpc-message.ts';

const BYTES_MAX = 32 * 1024;

/** One frame is one frame, and what is inflated is what the runtime's own gunzip makes of it, within the limit. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const isCompressed = unlessRefused(() => checkSingleFrame(bytes), 'frame_malformed');
  if (isCompressed !== undefined) {
    const again = toFrame(bytes.subarray(PREFIX_BYTES));
    if (isCompressed) again[0] = 1;
    if (!again.equals(bytes) || frameLength(bytes) !== bytes.length - PREFIX_BYTES)
      throw new Error('a frame that is not made of its message');
  }
  const source = new ByteSource(bytes);
  await inflate(source.flag() ? damaged(source) : bytes);
}

async function inflate(gzip: Buffer): Promise<void> {
  let message: Buffer;
  try {
    message = (await gunzipFrame(toFrame(gzip), BYTES_MAX)).subarray(PREFIX_BYTES);
  } catch (error) {
    const isExpected = error instanceof Refusal && /^(?:frame_malformed|message_too_large)$/.test(error.code);
    if (!isExpected) throw error;
    return;
  }
  if (message.length > BYTES_MAX) throw new Error(`${message.length} bytes are more than the limit`);
  if (!message.equals(gunzipSync(gzip))) throw new Error('gunzip reads something else');
}

/** Something that was compressed, with one change in it. */
function damaged(source: ByteSource): Buffer {
  const [times, at, change] = [source.number(), source.number(), source.byte()];
  const piece = source.piece();
  const gzip = gzipSync(Buffer.concat(new Array<Buffer>(times % 256).fill(piece)));
  return Buffer.concat([changeByte(gzip, at, change), source.rest()]);
}

export function* seeds(): Generator<Uint8Array> {
  yield toFrame(Buffer.from('message'));
  for (const gzip of [gzipSync(''), gzipSync('text'), gzipSync(Buffer.alloc(40_000))]) {
    yield gzip;
    yield Buffer.concat([gzip, gzip]);
  }
  // Name, comment, extra and a checksum of the head.
  const parts = gzipSync('text');
  const head = Buffer.from([0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, 65, 66, 110, 0, 99, 0, 1, 2]);
  yield Buffer.concat([head, parts.subarray(10)]);
}
