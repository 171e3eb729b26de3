import { DerError, type DerValue, tags } from './der.ts';

/** An OBJECT IDENTIFIER in dotted form. Arcs above 2^53 are refused: none that we know is near. */
export function decodeOid(value: DerValue): string {
  expect(value, tags.oid);
  const arcs: number[] = [];
  let arc = 0;
  let isFirstByte = true;
  for (const byte of value.content) {
    if (isFirstByte && byte === 0x80) throw new DerError('object identifier is not minimal');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('object identifier is too large');
    isFirstByte = byte < 0x80;
    if (isFirstByte) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const head = arcs.shift();
  if (head === undefined || !isFirstByte) throw new DerError('object identifier is cut short');
  const root = Math.min(Math.floor(head / 40), 2);
  return [root, head - root * 40, ...arcs].join('.');
}

/** The octets of a non-negative INTEGER in minimal form, without the sign octet. */
export function decodeUnsigned(value: DerValue): Uint8Array {
  expect(value, tags.integer);
  const [first, second] = value.content;
  if (first === undefined) throw new DerError('integer is empty');
  if (first >= 0x80) throw new DerError('integer is negative');
  if (first !== 0 || second === undefined) return value.content;
  if (second < 0x80) throw new DerError('integer is not minimal');
  return value.content.subarray(1);
}

/** A non-negative INTEGER below 2^31. */
export function decodeSmallInteger(value: DerValue): number {
  const octets = decodeUnsigned(value);
  const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  if (octets.length > 4 || number >= 2 ** 31) throw new DerError('integer is too large');
  return number;
}

export function decodeBoolean(value: DerValue): boolean {
  expect(value, tags.boolean);
  const [octet] = value.content;
  if (value.content.length !== 1 || (octet !== 0 && octet !== 0xff))
    throw new DerError('boolean is malformed');
  return octet === 0xff;
}

/** The octets of a BIT STRING that is a whole number of octets, as keys and signatures are. */
export function decodeBitOctets(value: DerValue): Uint8Array {
  expect(value, tags.bitString);
  if (value.content[0] !== 0) throw new DerError('bit string is not made of whole octets');
  return value.content.subarray(1);
}

/** The set bits of a named BIT STRING, bit 0 first (X.690 section 11.2.2: no trailing zero bits). */
export function decodeNamedBits(value: DerValue): ReadonlySet<number> {
  expect(value, tags.bitString);
  const unused = value.content[0];
  const octets = value.content.subarray(1);
  const last = octets.at(-1) ?? 0;
  if (unused === undefined || unused > 7 || (octets.length === 0 && unused !== 0) || octets.length > 4)
    throw new DerError('bit string is malformed');
  if ((last & ((1 << unused) - 1)) !== 0) throw new DerError('unused bits are not zero');
  const set = new Set<number>();
  octets.forEach((octet, index) => {
    for (let bit = 0; bit < 8; bit += 1) if ((octet & (0x80 >> bit)) !== 0) set.add(index * 8 + bit);
  });
  return set;
}

const UTC_TIME = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;

/** A UTCTime or GeneralizedTime in the only form that RFC 5280 section 4.1.2.5 allows, as Unix ms. */
export function decodeTime(value: DerValue): number {
  const isUtcTime = value.tag === tags.utcTime;
  if (!isUtcTime) expect(value, tags.generalizedTime);
  const match = (isUtcTime ? UTC_TIME : GENERALIZED_TIME).exec(Buffer.from(value.content).toString('latin1'));
  if (match === null) throw new DerError('time is malformed');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // RFC 5280 section 4.1.2.5.1: two digits from 50 on are of the last century.
  const fullYear = isUtcTime ? year + (year >= 50 ? 1900 : 2000) : year;
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // A day or hour that does not exist rolls over into another one: refuse it instead.
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour;
  if (!isReal || minute > 59 || second > 59) throw new DerError('time does not exist');
  return date.getTime();
}

function expect(value: DerValue, tag: number): void {
  if (value.tag !== tag) throw new DerError('unexpected type');
}
