/**
 * The few parts of protobuf's wire format that a Payload needs (protobuf.dev/programming-guides/encoding): written
 * here because a Worker's process should not carry a second protobuf library for three fields.
 */
export class ProtoWriter {
  readonly #parts: Uint8Array[] = [];

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varintBytes(BigInt((field << 3) | LENGTH_DELIMITED)));
    this.#parts.push(varintBytes(BigInt(value.length)), value);
    return this;
  }

  /** Negative numbers as their 64-bit two's complement, as int64 asks. */
  varint(field: number, value: bigint): this {
    this.#parts.push(varintBytes(BigInt((field << 3) | VARINT)), varintBytes(BigInt.asUintN(64, value)));
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

const FIELD_MAX = 2 ** 29 - 1;

interface ProtoField {
  readonly field: number;
  /** Undefined for a type that no field of ours has. */
  readonly value: Uint8Array | bigint | undefined;
}

/** Reads strictly: what is cut off, or of a type that proto3 does not have, is a RangeError. */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  *fields(): Generator<ProtoField> {
    while (this.#at < this.#bytes.length) {
      const tag = Number(this.#varint());
      const field = Math.floor(tag / 8);
      if (field < 1 || field > FIELD_MAX) throw new RangeError('a field without a number');
      yield { field, value: this.#value(tag % 8) };
    }
  }

  #value(type: number): Uint8Array | bigint | undefined {
    if (type === VARINT) return this.#varint();
    if (type === LENGTH_DELIMITED) return this.#take(Number(this.#varint()));
    if (type !== FIXED_64 && type !== FIXED_32) throw new RangeError('a field of a type that is not known');
    this.#take(type === FIXED_64 ? 8 : 4);
    return undefined;
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('a number is cut off');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError('a number is longer than ten bytes');
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new RangeError('a field is cut off');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}

function varintBytes(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
