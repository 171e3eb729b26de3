import { randomBytes, randomFillSync } from 'node:crypto';

// Random bytes are drawn 4 KiB at a time: one draw per id costs more than the id.
const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A UUIDv7 (RFC 9562 section 5.7): sorts by time, 74 random bits. */
export function uuidV7(nowMs: number = Date.now()): string {
  if (used + 10 > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const high = Math.floor(nowMs / 0x10000)
    .toString(16)
    .padStart(8, '0');
  const low = (nowMs % 0x10000).toString(16).padStart(4, '0');
  const byte = (offset: number): number => pool[used + offset] ?? 0;
  const hex = (value: number): string => HEX[value] ?? '00';
  const id =
    `${high}-${low}-` +
    `${hex(0x70 | (byte(0) & 0x0f))}${hex(byte(1))}-` +
    `${hex(0x80 | (byte(2) & 0x3f))}${hex(byte(3))}-` +
    `${hex(byte(4))}${hex(byte(5))}${hex(byte(6))}${hex(byte(7))}${hex(byte(8))}${hex(byte(9))}`;
  used += 10;
  return id;
}

// Differs between processes and between lives of one process.
const requestPrefix = randomBytes(8).toString('hex');
let requests = 0;

/** An id for one call: unique over all processes, and cheap enough for every call. */
export function nextRequestId(): string {
  requests += 1;
  return `${requestPrefix}-${requests.toString(36)}`;
}
