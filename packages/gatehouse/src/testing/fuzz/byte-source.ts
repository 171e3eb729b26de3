/** Reads an input from the front: choices and numbers first, the rest as bytes. Past the end all is zero. */
export class ByteSource {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** Of 16 bits. */
  number(): number {
    return this.byte() * 256 + this.byte();
  }

  flag(): boolean {
    return (this.byte() & 1) === 1;
  }

  /** @throws Error for an empty list. */
  pick<Item>(items: readonly Item[]): Item {
    const chosen = items[this.number() % items.length];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  /** At most as many as there are. */
  take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  /** What comes after a byte that says how many: short pieces that mutations do not move apart. */
  piece(): Buffer {
    return this.take(this.byte());
  }

  rest(): Buffer {
    return this.take(this.#bytes.length);
  }
}
