/**
 * One uncompressed gRPC frame: whole, or, where it is large, in the pieces that it was made in. They are written
 * one after the other, so that nothing large is copied on its way.
 */
export type Frame = Buffer | readonly Buffer[];

/** Of all pieces. */
export function frameBytes(frame: Frame): number {
  if (Buffer.isBuffer(frame)) return frame.length;
  return frame.reduce((sum, { length }) => sum + length, 0);
}

/** The frame in one piece: copied, if it is not. */
export function wholeFrame(frame: Frame): Buffer {
  return Buffer.isBuffer(frame) ? frame : Buffer.concat(frame);
}
