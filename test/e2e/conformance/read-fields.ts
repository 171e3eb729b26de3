import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A message of the suite, by field number: its few messages are not worth a generated code. */
export interface Fields {
  has(field: number): boolean;
  /** Every value of a field with a length. */
  all(field: number): readonly Uint8Array[];
  /** The last one, or nothing. */
  bytes(field: number): Uint8Array;
  message(field: number): Fields;
  /** The last number, or 0. */
  number(field: number): number;
}

const NOTHING = new Uint8Array(0);

export function fieldsOf(message: Uint8Array): Fields {
  const chunks = new Map<number, Uint8Array[]>();
  const numbers = new Map<number, number>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) numbers.set(field, Number(reader.uint64()));
    else if (type === WireType.LengthDelimited) {
      const values = chunks.get(field) ?? [];
      values.push(reader.bytes());
      chunks.set(field, values);
    } else reader.skip(type);
  }
  const bytes = (field: number): Uint8Array => chunks.get(field)?.at(-1) ?? NOTHING;
  return {
    has: (field) => chunks.has(field) || numbers.has(field),
    all: (field) => chunks.get(field) ?? [],
    bytes,
    message: (field) => fieldsOf(bytes(field)),
    number: (field) => numbers.get(field) ?? 0,
  };
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
