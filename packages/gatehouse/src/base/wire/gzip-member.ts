/** RFC 1952: CRC32 and ISIZE. */
const TRAILER_BYTES = 8;
const HEADER_BYTES = 10;
const Flag = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, reserved: 0xe0 } as const;

/** The parts of bytes that are one gzip member by their ends. */
export interface GzipMember {
  readonly deflated: Uint8Array;
  /** What the trailer states of the content. */
  readonly crc32: number;
  /** Modulo 2^32. */
  readonly size: number;
}

/**
 * Reads header and trailer of a gzip member (RFC 1952). The runtime's own gunzip reads any number of members one
 * after the other and does not tell; with the parts apart, whatever does not end with the deflate stream is seen.
 * @returns undefined where it is not gzip. Whether the deflated bytes reach up to the trailer is not known yet.
 */
export function splitGzipMember(bytes: Uint8Array): GzipMember | undefined {
  const start = headerEnd(bytes);
  const end = bytes.length - TRAILER_BYTES;
  if (start === undefined || start > end) return undefined;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end, TRAILER_BYTES);
  return {
    deflated: bytes.subarray(start, end),
    crc32: trailer.getUint32(0, true),
    size: trailer.getUint32(4, true),
  };
}

function headerEnd(bytes: Uint8Array): number | undefined {
  const flags = bytes[3] ?? 0;
  // ID1, ID2, and deflate, the one method there is.
  const known = bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8 && (flags & Flag.reserved) === 0;
  if (!known) return undefined;
  let pos = HEADER_BYTES;
  if ((flags & Flag.extra) !== 0) pos += 2 + (bytes[pos] ?? 0) + (bytes[pos + 1] ?? 0) * 256;
  for (const flag of [Flag.name, Flag.comment]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, pos);
    if (zero < 0) return undefined;
    pos = zero + 1;
  }
  return (flags & Flag.headerCrc) === 0 ? pos : pos + 2;
}
