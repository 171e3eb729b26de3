import { contextTag, DerError, DerReader, readDer, tags } from './der.ts';
import { decodeBoolean, decodeNamedBits, decodeOid, decodeSmallInteger } from './der-values.ts';
import { decodeGeneralName, type GeneralName } from './general-name.ts';
import { decodeNameConstraints, type NameConstraints } from './name-constraints.ts';

/** The extensions that decide something here (RFC 5280 section 4.2.1). Absent ones are undefined. */
export interface CertificateExtensions {
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  /** Numbers of the set bits, see keyUsageBits. */
  readonly keyUsage?: ReadonlySet<number>;
  readonly extendedKeyUsage?: ReadonlySet<string>;
  readonly subjectAlternativeNames?: readonly GeneralName[];
  readonly nameConstraints?: NameConstraints;
  /** Critical extensions that we do not evaluate: whoever meets one must refuse (RFC 5280 section 4.2). */
  readonly criticalUnknown: readonly string[];
}

export const keyUsageBits = { digitalSignature: 0, keyCertSign: 5 } as const;
export const extendedKeyUsages = { clientAuth: '1.3.6.1.5.5.7.3.2', any: '2.5.29.37.0' } as const;

const oids = {
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
} as const;

type Decoder = (value: Uint8Array) => Omit<CertificateExtensions, 'criticalUnknown'>;

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  [oids.basicConstraints, (value) => ({ basicConstraints: decodeBasicConstraints(value) })],
  [oids.keyUsage, (value) => ({ keyUsage: decodeNamedBits(readDer(value, tags.bitString)) })],
  [oids.extendedKeyUsage, (value) => ({ extendedKeyUsage: decodeExtendedKeyUsage(value) })],
  [oids.subjectAlternativeName, (value) => ({ subjectAlternativeNames: decodeNames(value) })],
  [oids.nameConstraints, (value) => ({ nameConstraints: decodeNameConstraints(value) })],
  // A policy by itself only informs; what demands one (policyConstraints) stays unknown and so refuses.
  [oids.certificatePolicies, () => ({})],
]);

/** Decodes the Extensions sequence. An extension that occurs twice is malformed. Throws DerError. */
export function decodeExtensions(sequence: Uint8Array): CertificateExtensions {
  const criticalUnknown: string[] = [];
  const known: ReturnType<Decoder>[] = [];
  const seen = new Set<string>();
  const extensions = new DerReader(readDer(sequence, tags.sequence).content);
  if (extensions.isAtEnd) throw new DerError('the list of extensions is empty');
  while (!extensions.isAtEnd) {
    const extension = extensions.enter(tags.sequence);
    const oid = decodeOid(extension.read(tags.oid));
    const critical = extension.readOptional(tags.boolean);
    const value = extension.read(tags.octetString).content;
    extension.finish();
    if (seen.has(oid)) throw new DerError('an extension occurs twice');
    seen.add(oid);
    const isCritical = critical !== undefined && decodeBoolean(critical);
    const decode = decoders.get(oid);
    if (decode !== undefined) known.push(decode(value));
    else if (isCritical) criticalUnknown.push(oid);
  }
  return Object.assign({ criticalUnknown }, ...known);
}

function decodeBasicConstraints(value: Uint8Array): { ca: boolean; pathLength?: number } {
  const reader = new DerReader(readDer(value, tags.sequence).content);
  const ca = reader.readOptional(tags.boolean);
  const pathLength = reader.readOptional(tags.integer);
  reader.finish();
  const isCa = ca !== undefined && decodeBoolean(ca);
  return pathLength === undefined ? { ca: isCa } : { ca: isCa, pathLength: decodeSmallInteger(pathLength) };
}

function decodeExtendedKeyUsage(value: Uint8Array): ReadonlySet<string> {
  const usages = new Set<string>();
  const reader = new DerReader(readDer(value, tags.sequence).content);
  while (!reader.isAtEnd) usages.add(decodeOid(reader.read(tags.oid)));
  if (usages.size === 0) throw new DerError('extendedKeyUsage is empty');
  return usages;
}

function decodeNames(value: Uint8Array): readonly GeneralName[] {
  const names: GeneralName[] = [];
  const reader = new DerReader(readDer(value, tags.sequence).content);
  while (!reader.isAtEnd) names.push(decodeGeneralName(reader.readAny()));
  if (names.length === 0) throw new DerError('subjectAltName is empty');
  return names;
}

/** The tag that holds the Extensions sequence inside a TBSCertificate (RFC 5280 section 4.1). */
export const extensionsTag = contextTag(3, true);
