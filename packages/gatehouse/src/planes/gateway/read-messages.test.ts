import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Refusal } from '#base/model/refusals';
import { toFrame } from '#base/wire/grpc-message';
import { type MessageLimits, readMessages } from './read-messages.ts';

const limits: MessageLimits = { messageBytesMax: 1000, messagesMax: 3, gzip: true };

/** The messages of a stream that came in these pieces, and how it ended. */
async function read(pieces: readonly Buffer[], given: MessageLimits = limits): Promise<string[]> {
  const stream = new PassThrough();
  for (const piece of pieces) stream.write(piece);
  stream.end();
  const found: string[] = [];
  try {
    for await (const message of readMessages(stream, given)) {
      found.push(Buffer.from(message).toString('latin1'));
    }
  } catch (error) {
    found.push(error instanceof Refusal ? error.code : String(error));
  }
  return found;
}

function compressed(text: string): Buffer {
  const frame = toFrame(gzipSync(text));
  frame[0] = 1;
  return frame;
}

test('messages come whole, however their bytes arrive, compressed or not', async () => {
  const bytes = Buffer.concat([toFrame(Buffer.from('one')), compressed('two'), toFrame(Buffer.alloc(0))]);
  assert.deepEqual(await read([bytes]), ['one', 'two', '']);
  assert.deepEqual(await read(Array.from(bytes, (byte) => Buffer.of(byte))), ['one', 'two', '']);
});

test('a compressed message is refused where the caller announced no gzip', async () => {
  assert.deepEqual(await read([compressed('one')], { ...limits, gzip: false }), ['encoding_unknown']);
});

test('T-032 a message that inflates beyond the limit is refused', async () => {
  assert.deepEqual(await read([compressed('a'.repeat(1001))]), ['message_too_large']);
  assert.equal((await read([compressed('a'.repeat(1000))])).length, 1);
});

test('T-031 an unknown flag, an announced length beyond the limit, a cut message and one too many are refused', async () => {
  assert.deepEqual(await read([Buffer.from([2, 0, 0, 0, 0])]), ['frame_malformed']);
  assert.deepEqual(await read([Buffer.from([0, 0, 0, 4, 0])]), ['message_too_large']);
  assert.deepEqual(await read([Buffer.from([0, 0, 0, 0, 9, 1])]), ['frame_malformed']);
  const four = Array.from({ length: 4 }, () => toFrame(Buffer.from('x')));
  assert.deepEqual(await read(four), ['x', 'x', 'x', 'stream_limit']);
});
