import type { Writable } from 'node:stream';
import type { Frame } from '#base/model/frame';

/** Ends a stream with a frame, whole or in pieces: those go to the transport together. */
export function endWithFrame(stream: Writable, frame: Frame): void {
  if (Buffer.isBuffer(frame)) {
    stream.end(frame);
    return;
  }
  stream.cork();
  for (const piece of frame) stream.write(piece);
  stream.end();
}
