import type { ServerHttp2Stream } from 'node:http2';
import { refuse } from '#base/model/refusals';
import { frameLength, PREFIX_BYTES } from '#base/wire/grpc-message';

export interface MessageLimits {
  readonly messageBytesMax: number;
  /** More messages than this on one stream are refused. */
  readonly messagesMax: number;
}

/**
 * The messages of a gRPC request stream, one after the other. Nothing more is read while a message is being
 * answered, so a caller that does not read its answers is not read from either.
 * @throws Refusal for a message that is too large, malformed or compressed, and for one too many.
 */
export async function* readMessages(
  stream: ServerHttp2Stream,
  limits: MessageLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  let count = 0;
  // The stream is still needed for the answer when reading ends.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= PREFIX_BYTES) {
      const length = messageLength(held, limits.messageBytesMax);
      if (held.length < PREFIX_BYTES + length) break;
      count += 1;
      if (count > limits.messagesMax) throw refuse('stream_limit', { detail: 'messages on one stream' });
      const message = held.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
      held = held.subarray(PREFIX_BYTES + length);
      yield message;
    }
  }
  if (held.length > 0) throw refuse('frame_malformed', { detail: 'the last message was cut short' });
}

function messageLength(held: Buffer, bytesMax: number): number {
  if (held[0] === 1) throw refuse('encoding_unknown');
  if (held[0] !== 0) throw refuse('frame_malformed', { detail: 'unknown flag' });
  const length = frameLength(held);
  if (length > bytesMax) throw refuse('message_too_large');
  return length;
}
