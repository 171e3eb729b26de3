// No test itself: certification paths from a short notation.
import { derOf } from './signature-vectors-fixture.test.ts';
import {
  DAY_MS,
  type MadeCertificate,
  makeCertificate,
  NOW_MS,
  type Recipe,
} from './testing-certificates.test.ts';
import { ExtendedKeyUsage, Extension, KeyUsageFlags, Name } from './x509-library.ts';

/** For whom a path is made: what stands as `use: 'own'` in it. */
export type Purpose = 'clientAuth' | 'serverAuth';

/** One certificate of a path. What is absent is as the rules want it; the last one is a leaf for `localhost`. */
export interface Link extends Partial<Omit<Recipe, 'subject' | 'names' | 'extendedKeyUsage'>> {
  /** Common name; null for no name at all. Without it one of its own. */
  readonly cn?: string | null;
  /** A leaf has its own purpose unless it says otherwise, a CA none. */
  readonly use?: 'own' | 'other' | 'any' | 'none';
  /** subjectAltName, each as `dns:a.test`, `ip:7f000001`, `email:a@b.test`, `dn:foo` (a common name), `other:`. */
  readonly san?: readonly string[];
  readonly permitted?: readonly string[] | undefined;
  readonly excluded?: readonly string[] | undefined;
  readonly constraintsCritical?: boolean;
  readonly expired?: boolean;
}

export interface Path {
  readonly trusted: readonly MadeCertificate[];
  /** Leaf first. */
  readonly presented: readonly MadeCertificate[];
}

/** Makes the certificates from the root, which signs itself, down to the leaf. Each signs the next. */
export async function makeLinks(
  links: readonly Link[],
  purpose: Purpose,
  nowMs = NOW_MS,
): Promise<MadeCertificate[]> {
  const made: MadeCertificate[] = [];
  for (const [index, link] of links.entries()) {
    const signer = made.at(-1);
    const isLeaf = index === links.length - 1;
    made.push(
      await makeLink(link, { cn: `${isLeaf ? 'leaf' : 'ca'} ${index}`, isLeaf, purpose, nowMs }, signer),
    );
  }
  return made;
}

export interface Place {
  /** Where the link names none. */
  readonly cn: string;
  readonly isLeaf: boolean;
  readonly purpose: Purpose;
  readonly nowMs: number;
}

export async function makeLink(link: Link, place: Place, signer?: MadeCertificate): Promise<MadeCertificate> {
  const { cn = place.cn, use, san, permitted, excluded, constraintsCritical, expired, ...recipe } = link;
  const { isLeaf, purpose, nowMs } = place;
  const { keyCertSign, digitalSignature } = KeyUsageFlags;
  const names = san ?? (isLeaf ? ['dns:localhost'] : []);
  const constraints = { permitted, excluded, critical: constraintsCritical };
  return await makeCertificate({
    ca: !isLeaf,
    keyUsage: isLeaf ? digitalSignature : keyCertSign,
    notBeforeMs: nowMs - 2 * DAY_MS,
    notAfterMs: expired === true ? nowMs - DAY_MS : nowMs + 30 * DAY_MS,
    ...recipe,
    subject: cn === null ? [] : [{ CN: [{ utf8String: cn }] }],
    ...usagesOf(use ?? (isLeaf ? 'own' : 'none'), purpose),
    ...(signer === undefined ? {} : { signer }),
    extensions: [
      ...(names.length === 0 ? [] : [new Extension('2.5.29.17', false, derOf(0x30, ...names.map(nameDer)))]),
      ...constraintsExtension(constraints),
      ...(recipe.extensions ?? []),
    ],
  });
}

function usagesOf(use: NonNullable<Link['use']>, purpose: Purpose): { extendedKeyUsage?: readonly string[] } {
  if (use === 'none') return {};
  const other = purpose === 'clientAuth' ? 'serverAuth' : 'clientAuth';
  return {
    extendedKeyUsage: [use === 'any' ? '2.5.29.37.0' : ExtendedKeyUsage[use === 'own' ? purpose : other]],
  };
}

function constraintsExtension({
  permitted,
  excluded,
  critical = true,
}: {
  readonly permitted: readonly string[] | undefined;
  readonly excluded: readonly string[] | undefined;
  readonly critical: boolean | undefined;
}): Extension[] {
  if (permitted === undefined && excluded === undefined) return [];
  const subtrees = (tag: number, bases: readonly string[] | undefined): Buffer[] =>
    bases === undefined ? [] : [derOf(tag, ...bases.map((base) => derOf(0x30, nameDer(base))))];
  const value = derOf(0x30, ...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
  return [new Extension('2.5.29.30', critical, value)];
}

/** A GeneralName of our notation (RFC 5280 section 4.2.1.6). */
function nameDer(notation: string): Buffer {
  const [kind = '', text = ''] = notation.split(/:(.*)/s);
  switch (kind) {
    case 'email':
      return derOf(0x81, Buffer.from(text));
    case 'dns':
      return derOf(0x82, Buffer.from(text));
    case 'dn':
      return derOf(0xa4, new Uint8Array(new Name([{ CN: [{ utf8String: text }] }]).toArrayBuffer()));
    case 'ip':
      return derOf(0x87, Buffer.from(text, 'hex'));
    case 'other':
      // 1.3.6.1.4.1.99999.2, and NULL.
      return derOf(0xa0, Buffer.from('06092b06010401868d1f02', 'hex'), derOf(0xa0, derOf(5)));
    default:
      throw new Error(`no such kind of name: ${kind}`);
  }
}
