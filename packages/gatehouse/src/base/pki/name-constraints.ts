import { contextTag, DerError, DerReader, readDer, tags } from './der.ts';
import { attributesOf, type DistinguishedName, nameOids, relativeNameKey } from './distinguished-name.ts';
import { decodeGeneralName, type GeneralName } from './general-name.ts';

/** What a CA allows and forbids in every certificate below it (RFC 5280 section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** Decodes the extension's value. Throws DerError. */
export function decodeNameConstraints(value: Uint8Array): NameConstraints {
  const reader = new DerReader(readDer(value, tags.sequence).content);
  const permitted = reader.readOptional(contextTag(0, true));
  const excluded = reader.readOptional(contextTag(1, true));
  reader.finish();
  if (permitted === undefined && excluded === undefined) throw new DerError('nameConstraints is empty');
  return { permitted: decodeSubtrees(permitted?.content), excluded: decodeSubtrees(excluded?.content) };
}

/**
 * True if every name of a certificate below is allowed. A kind of name that the constraints mention and we
 * cannot compare is not allowed.
 */
export function satisfiesNameConstraints(
  subject: DistinguishedName,
  alternativeNames: readonly GeneralName[],
  constraints: NameConstraints,
): boolean {
  return constrainedNames(subject, alternativeNames).every((name) => {
    const ofSameKind = (bases: readonly GeneralName[]) => bases.filter((base) => isSameKind(base, name));
    const permitted = ofSameKind(constraints.permitted);
    const excluded = ofSameKind(constraints.excluded);
    if (permitted.length + excluded.length === 0) return true;
    if (!isComparable(name)) return false;
    if (excluded.some((base) => isUnreadable(base) || isWithin(name, base) || mayStandFor(name, base)))
      return false;
    return permitted.length === 0 || permitted.some((base) => !isUnreadable(base) && isWithin(name, base));
  });
}

/** How many pairs of a name and a subtree `satisfiesNameConstraints` may have to look at: both are a stranger's. */
export function countComparisons(
  subject: DistinguishedName,
  alternativeNames: readonly GeneralName[],
  { permitted, excluded }: NameConstraints,
): number {
  return constrainedNames(subject, alternativeNames).length * (permitted.length + excluded.length);
}

function decodeSubtrees(content: Uint8Array | undefined): GeneralName[] {
  if (content === undefined) return [];
  const bases: GeneralName[] = [];
  const reader = new DerReader(content);
  while (!reader.isAtEnd) {
    const subtree = reader.enter(tags.sequence);
    bases.push(decodeGeneralName(subtree.readAny()));
    // RFC 5280: minimum must be 0 (and so absent in DER), maximum must be absent.
    subtree.finish();
  }
  if (bases.length === 0) throw new DerError('a list of subtrees is empty');
  return bases;
}

/** The names that constraints speak about: an e-mail address in the subject counts as one (RFC 5280). */
function constrainedNames(
  subject: DistinguishedName,
  alternativeNames: readonly GeneralName[],
): GeneralName[] {
  const emails = attributesOf(subject, nameOids.emailAddress);
  const names: GeneralName[] = [
    ...alternativeNames,
    ...emails.map(({ text }): GeneralName => ({ kind: 'email', text })),
  ];
  return subject.relativeNames.length === 0 ? names : [...names, { kind: 'directory', name: subject }];
}

function isSameKind(a: GeneralName, b: GeneralName): boolean {
  return a.kind === 'other' && b.kind === 'other' ? a.tag === b.tag : a.kind === b.kind;
}

const HOST = /^[a-z0-9_*-]+(\.[a-z0-9_-]+)*$/i;
/** With a second @ two readers may see two hosts: the quoted form that could hold one is not compared. */
const MAILBOX = /^[^@]+@(?!.*@)/;

/** A name in a form that its kind's rule can be asked about; any other must not slip past an exclusion. */
function isComparable(name: GeneralName): boolean {
  switch (name.kind) {
    case 'dns':
      return name.text !== null && HOST.test(name.text);
    case 'email':
      return name.text !== null && MAILBOX.test(name.text) && HOST.test(name.text.replace(MAILBOX, ''));
    case 'uri':
      return name.text !== null && HOST.test(hostOfUri(name.text)) && !/^[\d.]+$/.test(hostOfUri(name.text));
    default:
      return name.kind !== 'other';
  }
}

function isUnreadable(base: GeneralName): boolean {
  if (!('text' in base)) return false;
  return base.text === null || (base.kind === 'email' && base.text.split('@').length > 2);
}

/** A wildcard is every name that it can stand for (CVE-2025-61727): it counts as excluded if one of them is. */
function mayStandFor(name: GeneralName, base: GeneralName): boolean {
  if (name.kind !== 'dns' || base.kind !== 'dns') return false;
  const [first = '', ...rest] = (name.text ?? '').toLowerCase().split('.');
  const limit = (base.text ?? '').toLowerCase();
  return first.includes('*') && (rest.length === 0 || `.${limit}`.endsWith(`.${rest.join('.')}`));
}

function isWithin(name: GeneralName, base: GeneralName): boolean {
  if (name.kind === 'directory' && base.kind === 'directory') return isDirectoryWithin(name.name, base.name);
  if (name.kind === 'ip' && base.kind === 'ip') return isAddressWithin(name.octets, base.octets);
  if (!('text' in name) || !('text' in base)) return false;
  const text = (name.text ?? '').toLowerCase();
  const limit = (base.text ?? '').toLowerCase();
  if (name.kind === 'email') return isEmailWithin(text, limit);
  if (name.kind === 'uri') return isHostWithin(hostOfUri(text), limit);
  return limit === '' || text === limit || text.endsWith(limit.startsWith('.') ? limit : `.${limit}`);
}

function isDirectoryWithin(name: DistinguishedName, base: DistinguishedName): boolean {
  return base.relativeNames.every((attributes, index) => {
    const own = name.relativeNames[index];
    return own !== undefined && relativeNameKey(own) === relativeNameKey(attributes);
  });
}

/** `base` is an address and a mask of the same length. */
function isAddressWithin(address: Uint8Array, base: Uint8Array): boolean {
  if (base.length !== address.length * 2) return false;
  const bits = (octets: Uint8Array, index: number): number => octets[index] ?? 0;
  return address.every((octet, index) => {
    const mask = bits(base, address.length + index);
    return (octet & mask) === (bits(base, index) & mask);
  });
}

function isEmailWithin(email: string, limit: string): boolean {
  if (limit.includes('@')) return email === limit;
  return isHostWithin(email.slice(email.lastIndexOf('@') + 1), limit);
}

/** With a leading dot only hosts below it, without one exactly that host. */
function isHostWithin(host: string, limit: string): boolean {
  return host !== '' && (limit.startsWith('.') ? host.endsWith(limit) : limit === '' || host === limit);
}

function hostOfUri(uri: string): string {
  return URL.canParse(uri) ? new URL(uri).hostname : '';
}
