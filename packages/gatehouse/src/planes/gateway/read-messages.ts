import { refuse } from '#base/model/refusals';
import { frameLength, gunzipFrame, PREFIX_BYTES } from '#base/wire/grpc-message';

export interface MessageLimits {
  readonly messageBytesMax: number;
  /** More messages than this on one stream are refused. */
  readonly messagesMax: number;
  /** Whether the caller announced gzip: a message may then be compressed, each for itself. */
  readonly gzip: boolean;
}

/**
 * The messages of a gRPC request stream, one after the other. Nothing more is asked for while a message is being
 * answered, so a caller that does not read its answers is not read from either.
 * @throws Refusal for a message that is too large, malformed or compressed without notice, and for one too many.
 */
export async function* readMessages(
  chunks: AsyncIterable<Buffer>,
  limits: MessageLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  let count = 0;
  for await (const chunk of chunks) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= PREFIX_BYTES) {
      const length = messageLength(held, limits);
      if (held.length < PREFIX_BYTES + length) break;
      count += 1;
      if (count > limits.messagesMax) throw refuse('stream_limit', { detail: 'messages on one stream' });
      const frame = held.subarray(0, PREFIX_BYTES + length);
      held = held.subarray(frame.length);
      const whole = frame[0] === 1 ? await gunzipFrame(frame, limits.messageBytesMax) : frame;
      yield whole.subarray(PREFIX_BYTES);
    }
  }
  if (held.length > 0) throw refuse('frame_malformed', { detail: 'the last message was cut short' });
}

function messageLength(held: Buffer, { messageBytesMax, gzip }: MessageLimits): number {
  const flag = held[0] ?? 0;
  if (flag === 1 && !gzip) throw refuse('encoding_unknown');
  if (flag > 1) throw refuse('frame_malformed', { detail: 'unknown flag' });
  const length = frameLength(held);
  if (length > messageBytesMax) throw refuse('message_too_large');
  return length;
}
