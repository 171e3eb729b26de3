import { DerError, DerReader, type DerValue, readDer, tags } from './der.ts';
import { decodeOid } from './der-values.ts';

/** One attribute of a subject or issuer. */
export interface NameAttribute {
  readonly oid: string;
  /**
   * The value as text, or null where it has no single safe reading: Teletex and Universal strings, text that
   * breaks its own type's rules, and anything with a control character (NUL among them). Null matches nothing.
   */
  readonly text: string | null;
  readonly der: Uint8Array;
}

/** A distinguished name as the certificate carries it: relative names in order, each with its attributes. */
export interface DistinguishedName {
  readonly relativeNames: readonly (readonly NameAttribute[])[];
  /** Equal keys are equal names: case and runs of spaces apart (RFC 5280 section 7.1). */
  readonly key: string;
}

export const nameOids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  emailAddress: '1.2.840.113549.1.9.1',
} as const;

const SHORT_NAMES: Readonly<Record<string, string>> = {
  [nameOids.commonName]: 'CN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  [nameOids.organization]: 'O',
  [nameOids.organizationalUnit]: 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  [nameOids.emailAddress]: 'emailAddress',
};

/** Decodes a Name (RFC 5280 section 4.1.2.4). Throws DerError. */
export function decodeName(value: DerValue): DistinguishedName {
  const relativeNames: NameAttribute[][] = [];
  const sequence = new DerReader(readDer(value.whole, tags.sequence).content);
  while (!sequence.isAtEnd) {
    const set = sequence.enter(tags.set);
    const attributes: NameAttribute[] = [];
    while (!set.isAtEnd) attributes.push(decodeAttribute(set.enter(tags.sequence)));
    if (attributes.length === 0) throw new DerError('relative name is empty');
    relativeNames.push(attributes);
  }
  return { relativeNames, key: relativeNames.map(relativeNameKey).join('/') };
}

/** All attributes of one type, wherever in the name they stand. */
export function attributesOf(name: DistinguishedName, oid: string): NameAttribute[] {
  return name.relativeNames.flat().filter((attribute) => attribute.oid === oid);
}

/**
 * For records and people: as in RFC 4514, but first attribute first, and with every character outside
 * printable ASCII escaped, so that a name cannot forge a log line. Never compare these texts.
 */
export function formatName(name: DistinguishedName): string {
  const attribute = ({ oid, text, der }: NameAttribute): string =>
    `${SHORT_NAMES[oid] ?? oid}=${text === null ? `#${Buffer.from(der).toString('hex')}` : escapeText(text)}`;
  return name.relativeNames.map((attributes) => attributes.map(attribute).join('+')).join(',');
}

/** One comparable text per relative name, whatever the order of its attributes. */
export function relativeNameKey(attributes: readonly NameAttribute[]): string {
  return attributes.map(attributeKey).sort().join('+');
}

function decodeAttribute(reader: DerReader): NameAttribute {
  const oid = decodeOid(reader.read(tags.oid));
  const value = reader.readAny();
  reader.finish();
  return { oid, text: decodeText(value), der: value.whole };
}

function attributeKey({ oid, text, der }: NameAttribute): string {
  if (text === null) return `${oid}=#${Buffer.from(der).toString('hex')}`;
  const folded = text.toLowerCase().replace(/ +/g, ' ').trim();
  // Encoded, so that no value can contain the marks between attributes and relative names.
  return `${oid}=${encodeURIComponent(folded)}`;
}

// A byte order mark is a character like any other here: dropping it would make two names one.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(value: DerValue): string | null {
  const text = decodeTextByType(value);
  return text === null || /[\p{Cc}\p{Cs}]/u.test(text) ? null : text;
}

function decodeTextByType({ tag, content }: DerValue): string | null {
  switch (tag) {
    case tags.utf8String:
      try {
        return utf8.decode(content);
      } catch (error) {
        if (error instanceof TypeError) return null;
        throw error;
      }
    case tags.printableString:
    case tags.ia5String:
      // PrintableString is read as ASCII: real CAs put `@`, `*` and `_` into it.
      return content.every((byte) => byte < 0x80) ? Buffer.from(content).toString('latin1') : null;
    case tags.bmpString:
      return content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : null;
    default:
      return null;
  }
}

function escapeText(text: string): string {
  return text.replace(/[^\x20-\x7e]|[",+;<>\\=#]/gu, (character) =>
    character > '~' ? `\\u{${character.codePointAt(0)?.toString(16)}}` : `\\${character}`,
  );
}
