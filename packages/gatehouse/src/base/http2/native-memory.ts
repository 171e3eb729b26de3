import type { HeaderFields } from './header-fields.ts';

/** What one header block that we send may hold: more than a peer takes. */
const TEXT_BYTES_MAX = 128 * 1024;
const FIELDS_MAX = 256;
const WORD_BYTES = 4;

/** A header block in the memory of nghttp2, by addresses there. */
export interface HeaderBlock {
  readonly text: number;
  readonly lengths: number;
  readonly count: number;
}

/** The memory of nghttp2, as this side reads and writes it: never more than it is told to. */
export class NativeMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #allocate: (bytes: number) => number;
  readonly #scratch: HeaderBlock;
  #bytes: Buffer;
  #words: Uint32Array;

  /** @param allocate of nghttp2's own heap; what it gives is never given back. */
  constructor(memory: WebAssembly.Memory, allocate: (bytes: number) => number) {
    this.#memory = memory;
    this.#allocate = allocate;
    this.#bytes = Buffer.from(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
    this.#scratch = {
      text: this.reserve(TEXT_BYTES_MAX),
      lengths: this.reserve(2 * FIELDS_MAX * WORD_BYTES),
      count: 0,
    };
  }

  /** All of it, for this turn: it moves when it grows, which any call of nghttp2 may bring about. */
  get bytes(): Buffer {
    if (this.#bytes.buffer !== this.#memory.buffer) {
      this.#bytes = Buffer.from(this.#memory.buffer);
      this.#words = new Uint32Array(this.#memory.buffer);
    }
    return this.#bytes;
  }

  /** @throws RangeError when there is no memory left. */
  reserve(bytes: number): number {
    const address = this.#allocate(bytes);
    if (address === 0) throw new RangeError('no memory is left for HTTP/2');
    return address;
  }

  /** @param count of lengths: two for each field. */
  readFields(text: number, lengths: number, count: number): HeaderFields {
    const { bytes } = this;
    const first = lengths / WORD_BYTES;
    let size = 0;
    for (let at = 0; at < count; at += 1) size += this.#words[first + at] ?? 0;
    const all = bytes.toString('latin1', text, text + size);
    const fields: string[] = new Array(count);
    let from = 0;
    for (let at = 0; at < count; at += 1) {
      const to = from + (this.#words[first + at] ?? 0);
      fields[at] = all.slice(from, to);
      from = to;
    }
    return fields;
  }

  /** Fields that are sent next. @throws RangeError where they are too many or too long. */
  writeFields(fields: HeaderFields): HeaderBlock {
    const { text, lengths } = this.#scratch;
    return this.#write(fields, text, lengths, TEXT_BYTES_MAX);
  }

  /** Fields that are sent again and again. */
  keepFields(fields: HeaderFields): HeaderBlock {
    const size = fields.reduce((sum, { length }) => sum + length, 0);
    const lengths = this.reserve(fields.length * WORD_BYTES);
    return this.#write(fields, this.reserve(size), lengths, size);
  }

  #write(fields: HeaderFields, text: number, lengths: number, room: number): HeaderBlock {
    const { bytes } = this;
    const count = fields.length / 2;
    const first = lengths / WORD_BYTES;
    if (count > FIELDS_MAX) throw new RangeError('too many header fields');
    let all = '';
    for (let at = 0; at < fields.length; at += 1) {
      const part = fields[at] ?? '';
      all += part;
      this.#words[first + at] = part.length;
    }
    if (all.length > room) throw new RangeError('the header fields are too long');
    bytes.write(all, text, 'latin1');
    return { text, lengths, count };
  }
}
