import { gunzipSync, inflateSync, constants as zlib } from 'node:zlib';

/** Begins every text that must never be seen outside. Long enough to be found in any alignment of base64. */
const WORD = 'Kanarienvogel';

/** Texts that are looked for afterwards, each of them unique and with a name. */
export interface Canaries {
  /** A new text, for one place. */
  make(place: string): string;
  /** All texts so far, with their places. */
  readonly places: ReadonlyMap<string, string>;
}

export function createCanaries(): Canaries {
  const places = new Map<string, string>();
  return {
    places,
    make(place) {
      const text = `${WORD}-${places.size}-x`;
      places.set(text, place);
      return text;
    },
  };
}

/** One canary in the open, or thinly disguised. */
export interface CanaryHit {
  /** Such as `utf-8`, `base64`, `inflated utf-8`. */
  readonly form: string;
  readonly offset: number;
  /** What stands there, with a little around it. */
  readonly around: string;
}

interface Form {
  readonly name: string;
  readonly bytes: Buffer;
}

/** What stays of the word in base64 when it begins at any place of a group of three bytes. */
function base64Forms(name: string, word: Buffer): Form[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), word]).toString('base64');
    // Characters that also hold bits of the neighbours are cut off.
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + word.length) * 8) / 6);
    return { name, bytes: Buffer.from(text.slice(first, last)) };
  });
}

function utf16be(word: string): Buffer {
  return Buffer.from(word, 'utf16le').swap16();
}

const forms: readonly Form[] = [
  { name: 'utf-8', bytes: Buffer.from(WORD) },
  { name: 'lower case', bytes: Buffer.from(WORD.toLowerCase()) },
  { name: 'upper case', bytes: Buffer.from(WORD.toUpperCase()) },
  { name: 'backwards', bytes: Buffer.from(WORD).reverse() },
  { name: 'utf-16', bytes: Buffer.from(WORD, 'utf16le') },
  { name: 'utf-16 big-endian', bytes: utf16be(WORD) },
  { name: 'hex', bytes: Buffer.from(Buffer.from(WORD).toString('hex')) },
  { name: 'HEX', bytes: Buffer.from(Buffer.from(WORD).toString('hex').toUpperCase()) },
  // Base64url differs in two characters, which the word does not give.
  ...base64Forms('base64', Buffer.from(WORD)),
  ...base64Forms('base64 of utf-16', Buffer.from(WORD, 'utf16le')),
];

/** Every canary in these bytes, in several encodings, and inside whatever they hold that zlib can inflate. */
export function findCanaries(bytes: Uint8Array): CanaryHit[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return [
    ...findPlain(buffer),
    ...inflatable(buffer).flatMap((inner) =>
      findPlain(inner).map((hit) => ({ ...hit, form: `inflated ${hit.form}` })),
    ),
  ];
}

function findPlain(buffer: Buffer): CanaryHit[] {
  const hits: CanaryHit[] = [];
  for (const { name, bytes } of forms) {
    for (let at = buffer.indexOf(bytes); at >= 0; at = buffer.indexOf(bytes, at + 1)) {
      const around = buffer.toString('latin1', Math.max(0, at - 24), at + bytes.length + 24);
      hits.push({ form: name, offset: at, around });
    }
  }
  return hits;
}

/** The second bytes of a zlib stream's head, after 0x78 (RFC 1950). */
const ZLIB_SECOND = [0x01, 0x5e, 0x9c, 0xda];
const INFLATED_BYTES_MAX = 16 * 1024 * 1024;

function inflatable(buffer: Buffer): Buffer[] {
  const found: Buffer[] = [];
  const options = { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: INFLATED_BYTES_MAX };
  const attempt = (inflate: () => Buffer): void => {
    try {
      found.push(inflate());
    } catch {
      // Bytes that only look like the head of a stream.
    }
  };
  for (const second of ZLIB_SECOND) {
    const head = Buffer.of(0x78, second);
    for (let at = buffer.indexOf(head); at >= 0; at = buffer.indexOf(head, at + 1)) {
      attempt(() => inflateSync(buffer.subarray(at), options));
    }
  }
  const gzip = Buffer.of(0x1f, 0x8b, 0x08);
  for (let at = buffer.indexOf(gzip); at >= 0; at = buffer.indexOf(gzip, at + 1)) {
    attempt(() => gunzipSync(buffer.subarray(at), options));
  }
  return found;
}
