import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { Refusal } from '#base/model/refusals';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import { ByteSource } from '#testing/fuzz/byte-source';
import { readMessages } from './read-messages.ts';

const limits = { messageBytesMax: 300, messagesMax: 5, gzip: true };
const expected = ['message_too_large', 'frame_malformed', 'encoding_unknown', 'stream_limit'];

/** However a stream is cut into pieces, its messages are those that stand in it, within the limits. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const source = new ByteSource(bytes);
  const gzip = source.flag();
  const size = 1 + source.byte();
  const whole = source.rest();
  const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
    whole.subarray(at * size, (at + 1) * size),
  );
  const [inPieces, atOnce] = [await read(chunks, gzip), await read(whole.length === 0 ? [] : [whole], gzip)];
  if (JSON.stringify(inPieces) !== JSON.stringify(atOnce))
    throw new Error(`${inPieces}\nand at once\n${atOnce}`);
  const words = inPieces.filter((word) => !expected.includes(word));
  if (words.length > limits.messagesMax) throw new Error(`${words.length} messages`);
  for (const [at, word] of words.entries()) {
    const inIt = frameAt(whole, at);
    if (inIt !== word) throw new Error(`message ${at} is ${word} and not ${inIt}`);
  }
}

/** Messages in hex, and the code of what ended them. */
async function read(chunks: readonly Buffer[], gzip: boolean): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const message of readMessages(Readable.from(chunks), { ...limits, gzip })) {
      if (message.length > limits.messageBytesMax) throw new Error(`${message.length} bytes`);
      found.push(Buffer.from(message).toString('hex'));
    }
  } catch (error) {
    if (!(error instanceof Refusal) || !expected.includes(error.code)) throw error;
    found.push(error.code);
  }
  return found;
}

function frameAt(bytes: Buffer, number: number): string {
  let at = 0;
  for (let count = 0; count < number; count += 1) at += PREFIX_BYTES + bytes.readUInt32BE(at + 1);
  const content = bytes.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + bytes.readUInt32BE(at + 1));
  return (bytes[at] === 1 ? gunzipSync(content) : content).toString('hex');
}

export function* seeds(): Generator<Uint8Array> {
  const message = toFrame(Buffer.from('message'));
  const gzip = Buffer.from('H4sIAAAAAAAAA0tMSgYAwkEkNQMAAAA=', 'base64');
  const compressed = toFrame(gzip);
  compressed[0] = 1;
  yield Buffer.concat([Buffer.from([0, 3]), message, message, toFrame(Buffer.alloc(0))]);
  yield Buffer.concat([Buffer.from([1, 255]), message, compressed]);
  yield Buffer.concat([Buffer.from([1, 0]), ...new Array<Buffer>(6).fill(toFrame(Buffer.alloc(0)))]);
}
