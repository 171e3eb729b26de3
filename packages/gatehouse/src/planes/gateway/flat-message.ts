/**
 * The text of one field of a small message, or empty where it is not set. Only for bytes that a scanner has
 * accepted, or that the engine made for itself: on others it ends, and answers something.
 */
export function readText(message: Uint8Array, field: number): string {
  return readBytes(message, field)?.toString('utf8') ?? '';
}

/** As `readText`, of a field that holds bytes or a message: a view on it, or undefined where it is not set. */
export function readBytes(message: Uint8Array, field: number): Buffer | undefined {
  let pos = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; pos < message.length; shift *= 128) {
      const byte = message[pos++] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (pos < message.length) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else if (type === 1) pos += 8;
    else if (type === 5) pos += 4;
    else if (type === 2) {
      const length = varint();
      if (tag === field * 8 + 2)
        return Buffer.from(message.buffer, message.byteOffset + pos, Math.min(length, message.length - pos));
      pos += length;
    } else return undefined;
  }
  return undefined;
}

/**
 * Whether a bool field of the top level is set. For bytes from strangers too: on malformed ones it ends, and answers
 * something, since whoever asks refuses them later. The last occurrence counts, as in every reader of protobuf.
 */
export function readFlag(message: Uint8Array, field: number): boolean {
  let pos = 0;
  let isSet = false;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; pos < message.length; shift *= 128) {
      const byte = message[pos++] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (pos < message.length) {
    const tag = varint();
    const type = tag % 8;
    if (type === 0) {
      const value = varint();
      if (tag === field * 8) isSet = value !== 0;
    } else if (type === 1) pos += 8;
    else if (type === 5) pos += 4;
    else if (type === 2) {
      // First read, then added: `+=` would take the position from before the reading.
      const length = varint();
      pos += length;
    } else return isSet;
  }
  return isSet;
}
