/** Just enough protobuf to write the bench's requests and to walk the engine's answers. */

/** One length-delimited field (string, bytes or message). */
export function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

/** One varint field (integer, enum or bool). */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

export function message(...fields: Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** A gRPC frame: not compressed, length in four bytes, the message. */
export function grpcFrame(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + body.length);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, 5);
  return frame;
}

/** What a walk over one message found: the last number and every byte string of each field. */
export interface Walked {
  readonly numbers: ReadonlyMap<number, number>;
  readonly bytes: ReadonlyMap<number, readonly Buffer[]>;
}

/** Walks the top level of a message. @throws Error on a wire type the engine never sends (groups). */
export function walk(body: Buffer): Walked {
  const numbers = new Map<number, number>();
  const bytes = new Map<number, Buffer[]>();
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = body[at++];
      if (byte === undefined) throw new Error('truncated message');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < body.length) {
    const tag = next();
    const number = Math.floor(tag / 8);
    if (tag % 8 === 0) numbers.set(number, next());
    else if (tag % 8 === 1) at += 8;
    else if (tag % 8 === 5) at += 4;
    else if (tag % 8 === 2) {
      const length = next();
      const found = bytes.get(number) ?? [];
      found.push(body.subarray(at, at + length));
      bytes.set(number, found);
      at += length;
    } else throw new Error(`unexpected wire type ${tag % 8}`);
  }
  return { numbers, bytes };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
