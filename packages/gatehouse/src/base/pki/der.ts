/** One DER value: `content` and `whole` (with tag and length) are views of the input, not copies. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

/** The bytes are not what the schema says. Its message is ours alone: it never quotes the bytes. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** Identifier octets (X.690 section 8.1.2). Tags above 30 do not occur in certificates and are refused. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of a context-specific tag. */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

/**
 * Reads the values of one DER container in order. Strict on purpose: indefinite, non-minimal or overrunning
 * lengths are refused, so that no other decoder can see other fields in the same bytes (design decision 7).
 * Every method throws DerError and nothing else.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** The next value, which must have this tag. */
  read(tag: number): DerValue {
    const value = this.readAny();
    if (value.tag !== tag) throw new DerError(`expected tag ${hex(tag)}, found ${hex(value.tag)}`);
    return value;
  }

  /** The next value if it has this tag, else undefined and nothing is consumed. */
  readOptional(tag: number): DerValue | undefined {
    return this.#bytes[this.#offset] === tag ? this.readAny() : undefined;
  }

  readAny(): DerValue {
    const bytes = this.#bytes;
    const start = this.#offset;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) throw new DerError('value is cut short');
    if ((tag & 0x1f) === 0x1f) throw new DerError('multi-byte tags are not accepted');
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const length = lengthBytes === 0 && first < 0x80 ? first : readLongLength(bytes, start + 2, lengthBytes);
    const contentStart = start + 2 + lengthBytes;
    const end = contentStart + length;
    if (end > bytes.length) throw new DerError('length runs past the end');
    this.#offset = end;
    return { tag, content: bytes.subarray(contentStart, end), whole: bytes.subarray(start, end) };
  }

  /** A reader over the content of the next value, which must have this tag. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag).content);
  }

  /** Everything must have been read. */
  finish(): void {
    if (!this.isAtEnd) throw new DerError('unexpected bytes after the last field');
  }
}

/** The only value of these bytes, with nothing after it. */
export function readDer(bytes: Uint8Array, tag: number): DerValue {
  const reader = new DerReader(bytes);
  const value = reader.read(tag);
  reader.finish();
  return value;
}

function readLongLength(bytes: Uint8Array, offset: number, count: number): number {
  // 0x80 is the indefinite form (BER only); four bytes would already be 16 MiB and more.
  if (count === 0 || count > 3) throw new DerError('length form is not accepted');
  let length = 0;
  for (let index = 0; index < count; index += 1)
    length = length * 256 + (bytes[offset + index] ?? Number.NaN);
  const smallest = count === 1 ? 0x80 : 256 ** (count - 1);
  if (!(length >= smallest)) throw new DerError('length is not minimal');
  return length;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
