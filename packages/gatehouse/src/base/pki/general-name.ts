import { contextTag, DerReader, type DerValue } from './der.ts';
import { type DistinguishedName, decodeName } from './distinguished-name.ts';

/** One name of a subjectAltName or of a name constraint (RFC 5280 section 4.2.1.6). Kinds are never mixed. */
export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly text: string | null }
  | { readonly kind: 'ip'; readonly octets: Uint8Array }
  | { readonly kind: 'directory'; readonly name: DistinguishedName }
  /** otherName, x400Address, ediPartyName, registeredID: told apart by tag, never read. */
  | { readonly kind: 'other'; readonly tag: number };

const TEXT_KINDS = new Map<number, 'dns' | 'email' | 'uri'>([
  [contextTag(1, false), 'email'],
  [contextTag(2, false), 'dns'],
  [contextTag(6, false), 'uri'],
]);

/**
 * Decodes one GeneralName. Text is null where it is not visible ASCII and spaces: a NUL, a control character
 * or an octet above 126 has no safe reading. Throws DerError.
 */
export function decodeGeneralName(value: DerValue): GeneralName {
  const textKind = TEXT_KINDS.get(value.tag);
  if (textKind !== undefined) return { kind: textKind, text: decodeVisibleText(value.content) };
  if (value.tag === contextTag(7, false)) return { kind: 'ip', octets: value.content };
  if (value.tag !== contextTag(4, true)) return { kind: 'other', tag: value.tag };
  const reader = new DerReader(value.content);
  const name = decodeName(reader.readAny());
  reader.finish();
  return { kind: 'directory', name };
}

// Spaces do occur: the generators of tcld put the organization's name, spaces and all, into a dNSName.
function decodeVisibleText(content: Uint8Array): string | null {
  const isVisible = content.every((byte) => byte >= 0x20 && byte <= 0x7e);
  return isVisible ? Buffer.from(content).toString('latin1') : null;
}
