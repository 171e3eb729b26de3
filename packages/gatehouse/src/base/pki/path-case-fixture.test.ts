// No test itself: what a case of a path suite is.
import type { CertificateFault } from './certificate-fault.ts';
import { type Link, makeLinks, type Path, type Purpose } from './made-path-fixture.test.ts';

/**
 * One case as x509-limbo or BetterTLS tell it, made with our own means. Its `id` is theirs; where their host is
 * example.com ours is localhost.
 */
export interface PathCase {
  readonly id: string;
  /** What the suite says. */
  readonly verdict: 'valid' | 'invalid';
  /** Root first. Or `make`, where it is no single line of signatures. */
  readonly links?: readonly Link[];
  readonly make?: (purpose: Purpose, nowMs: number) => Promise<Path>;
  /** What is said of a client with this path (T-013). Absent: that it is admitted. */
  readonly client?: CertificateFault;
  /** Why that is not what the suite says; given exactly then. */
  readonly clientDiffers?: string;
  /** Why our own client says of a server (T-009) what the suite does not say; given exactly then. */
  readonly serverDiffers?: string;
  /** The name under which a server is called. */
  readonly host?: string;
  /** Says nothing about servers, or nothing about clients. */
  readonly only?: Purpose;
}

export async function pathOf({ links, make }: PathCase, purpose: Purpose, nowMs: number): Promise<Path> {
  if (make !== undefined) return await make(purpose, nowMs);
  const made = await makeLinks(links ?? [], purpose, nowMs);
  return { trusted: made.slice(0, 1), presented: made.slice(1).reverse() };
}
