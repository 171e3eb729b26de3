import { refuse } from '#base/model/refusals';
import type { ServerStream } from './server-stream.ts';

/**
 * What comes on a stream, at the pace of whoever asks: the peer may not send more than one window ahead.
 * @param onClosed called when the stream is closed.
 * @throws Refusal `cancelled` where the stream is closed before the peer has said all.
 */
export function readChunks(stream: ServerStream, onClosed: () => void): AsyncIterable<Buffer> {
  const chunks: Buffer[] = [];
  let isOver = false;
  let wake: (() => void) | undefined;
  const end = (): void => {
    isOver = true;
    wake?.();
  };
  stream.pace();
  stream.read({
    data: (chunk) => {
      chunks.push(chunk);
      wake?.();
    },
    end,
    closed: () => {
      end();
      onClosed();
    },
  });
  return take();

  async function* take(): AsyncGenerator<Buffer, void, undefined> {
    while (true) {
      const chunk = chunks.shift();
      if (chunk !== undefined) {
        stream.consume(chunk.length);
        yield chunk;
      } else if (isOver) {
        if (!stream.isReadToEnd) throw refuse('cancelled');
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    }
  }
}
