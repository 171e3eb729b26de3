/** Below this a copy costs less than a piece of its own. */
export const PIECE_BYTES_MIN: number = 32 * 1024;
const ROOM_BYTES_FIRST = 2048;
/** Many small values are copied into few rooms: each is a buffer for the transport to handle. */
const ROOM_BYTES_MAX = 64 * 1024;

/** Puts a frame together from pieces: what is small is copied side by side, what is large is taken as it is. */
export class PieceWriter {
  readonly #pieces: Buffer[] = [];
  #room: Buffer = Buffer.allocUnsafe(ROOM_BYTES_FIRST);
  #from = 0;
  #to = 0;

  /** Room of this size, for the caller to write into. @returns where it is. */
  take(size: number): { readonly target: Buffer; readonly position: number } {
    if (this.#to + size > this.#room.length) {
      this.#close();
      const next = Math.min(ROOM_BYTES_MAX, this.#room.length * 4);
      this.#room = Buffer.allocUnsafe(Math.max(next, size));
      this.#from = 0;
      this.#to = 0;
    }
    const position = this.#to;
    this.#to += size;
    return { target: this.#room, position };
  }

  /** @param bytes large ones must not change any more. */
  add(bytes: Uint8Array): void {
    if (bytes.length >= PIECE_BYTES_MIN) {
      this.#close();
      this.#pieces.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } else if (bytes.length > 0) {
      const { target, position } = this.take(bytes.length);
      target.set(bytes, position);
    }
  }

  end(): readonly Buffer[] {
    this.#close();
    return this.#pieces;
  }

  #close(): void {
    if (this.#to > this.#from) this.#pieces.push(this.#room.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
