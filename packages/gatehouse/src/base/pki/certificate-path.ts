import type { Certificate } from './certificate.ts';
import {
  type Breach,
  breachOfForm,
  breachOfIssuer,
  breachOfValidity,
  isSignedBy,
} from './certificate-rules.ts';
import { formatName } from './distinguished-name.ts';
import { countComparisons, satisfiesNameConstraints } from './name-constraints.ts';

export interface PathQuestion {
  readonly leaf: Certificate;
  /** What the client sent along. Helps to reach a root, is never trusted. */
  readonly presented: readonly Certificate[];
  /** The namespace's bundle. */
  readonly authorities: readonly Certificate[];
  /** Fingerprints of those authorities that are self-signed: only there a path may end. */
  readonly roots: ReadonlySet<string>;
  readonly nowMs: number;
}

export type PathAnswer =
  | { readonly found: true; readonly path: readonly Certificate[] }
  | { readonly found: false; readonly breach: Breach };

/** Leaf and root included. Real chains have two to four. */
export const PATH_LENGTH_MAX = 10;

/**
 * Signatures checked for one client at most, so that chains made to branch or to run in circles cost a bounded
 * time (T-013). A bundle of 16 CAs that all carry one name needs 16 of them.
 */
const LINKS_MAX = 32;

/**
 * Names compared with name constraints for one client at most: about 25 ms. Certificates of 32 kB can ask for
 * forty million; real chains ask for tens.
 */
const COMPARISONS_MAX = 2 ** 16;

interface Search extends PathQuestion {
  readonly pool: readonly Certificate[];
  linksLeft: number;
  comparisonsLeft: number;
  breach: Breach;
}

/**
 * Looks for a path of signatures from the leaf to a self-signed CA of the bundle on which every rule holds
 * (RFC 5280 section 6.1, without policies and revocation, which the Cloud does not check either). The leaf's
 * own rules are the caller's.
 */
export function findCertificatePath(question: PathQuestion): PathAnswer {
  const distinct = new Map<string, Certificate>();
  for (const certificate of [...question.authorities, ...question.presented])
    if (!distinct.has(certificate.fingerprint)) distinct.set(certificate.fingerprint, certificate);
  const search: Search = {
    ...question,
    pool: [...distinct.values()],
    linksLeft: LINKS_MAX,
    comparisonsLeft: COMPARISONS_MAX,
    breach: { fault: 'unknown_ca', text: 'names an issuer that is neither in the bundle nor presented' },
  };
  const path = extendPath([question.leaf], search);
  return path === undefined ? { found: false, breach: search.breach } : { found: true, path };
}

function extendPath(path: readonly Certificate[], search: Search): readonly Certificate[] | undefined {
  const child = path.at(-1);
  if (child === undefined) return undefined;
  if (path.length > 1 && search.roots.has(child.fingerprint)) return path;
  if (path.length >= PATH_LENGTH_MAX) {
    note(search, {
      fault: 'chain_too_long',
      text: `has more than ${PATH_LENGTH_MAX} certificates in its chain`,
    });
    return undefined;
  }
  for (const issuer of search.pool) {
    if (issuer.subject.key !== child.issuer.key || path.includes(issuer)) continue;
    if (search.linksLeft === 0) {
      note(search, { fault: 'chain_too_complex', text: 'has a chain with too many ways through it' });
      return undefined;
    }
    search.linksLeft -= 1;
    const breach = breachOfLink(path, child, issuer, search);
    if (breach !== undefined) {
      note(search, breach);
      continue;
    }
    const whole = extendPath([...path, issuer], search);
    if (whole !== undefined) return whole;
  }
  return undefined;
}

function breachOfLink(
  path: readonly Certificate[],
  child: Certificate,
  issuer: Certificate,
  search: Search,
): Breach | undefined {
  const named = (breach: Breach | undefined): Breach | undefined =>
    breach && {
      fault: breach.fault,
      text: `has an issuer (${formatName(issuer.subject)}) that ${breach.text}`,
    };
  // The key's size is judged before the key is used: an attacker chose it.
  const form = named(breachOfForm(issuer));
  if (form !== undefined) return form;
  if (!isSignedBy(child, issuer))
    return { fault: 'unknown_ca', text: 'names a known issuer but was signed by another key' };
  return (
    named(breachOfIssuer(issuer)) ??
    named(breachOfValidity(issuer, search.nowMs, true)) ??
    breachOfPlace(path, issuer) ??
    breachOfNames(path, issuer, search) ??
    // Last, because it mixes several of the rules above and cannot say which: key identifiers remain.
    (child.x509.checkIssued(issuer.x509)
      ? undefined
      : { fault: 'unknown_ca', text: 'names another key of its issuer (authorityKeyIdentifier)' })
  );
}

/** Rules about where in the path the issuer stands. `path` is what stands below it. */
function breachOfPlace(path: readonly Certificate[], issuer: Certificate): Breach | undefined {
  if (path.some((below) => below.subject.key === issuer.subject.key))
    return { fault: 'name_repeated', text: 'has a chain in which two certificates carry the same name' };
  // Names in a path are distinct, so no certificate below is self-issued and all but the leaf count.
  const pathLength = issuer.extensions.basicConstraints?.pathLength;
  if (pathLength !== undefined && path.length - 1 > pathLength)
    return { fault: 'path_too_long', text: `is further below a CA than its pathlen of ${pathLength} allows` };
  return undefined;
}

function breachOfNames(
  path: readonly Certificate[],
  issuer: Certificate,
  search: Search,
): Breach | undefined {
  const constraints = issuer.extensions.nameConstraints;
  if (constraints === undefined) return undefined;
  const named = path.map(({ subject, extensions }) => ({
    subject,
    names: extensions.subjectAlternativeNames ?? [],
  }));
  for (const { subject, names } of named)
    search.comparisonsLeft -= countComparisons(subject, names, constraints);
  if (search.comparisonsLeft < 0)
    return { fault: 'chain_too_complex', text: 'has a chain with too many names and name constraints' };
  return named.every(({ subject, names }) => satisfiesNameConstraints(subject, names, constraints))
    ? undefined
    : { fault: 'name_not_permitted', text: 'has a chain with a name outside the name constraints of a CA' };
}

/** Keeps the first reason that says more than "unknown". */
function note(search: Search, breach: Breach): void {
  if (search.breach.fault === 'unknown_ca') search.breach = breach;
}
