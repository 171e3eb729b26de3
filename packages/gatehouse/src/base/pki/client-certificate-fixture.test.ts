// No test itself: a CA, a leaf of it, and the verdict on chains of certificates.
import assert from 'node:assert/strict';
import { type CaBundle, parseStoredCaBundle } from './ca-bundle.ts';
import type { CertificateFault } from './certificate-fault.ts';
import { verifyClientCertificate } from './client-certificate.ts';
import { readPem } from './pem.ts';
import { type MadeCertificate, makeCa, makeCertificate, NOW_MS } from './testing-certificates.test.ts';

export const root: MadeCertificate = await makeCa('root');
export const leaf: MadeCertificate = await makeCertificate({ subject: 'worker', signer: root });
export const bundle: CaBundle = bundleOf(root);

export function bundleOf(...authorities: MadeCertificate[]): CaBundle {
  return parseStoredCaBundle(authorities.map(({ pem }) => pem).join(''));
}

export function verify(chain: readonly MadeCertificate[], bundle: CaBundle, nowMs = NOW_MS) {
  return verifyClientCertificate(
    chain.map(({ der }) => der),
    bundle,
    [],
    nowMs,
  );
}

export function assertRefused(verdict: ReturnType<typeof verify>, reason: CertificateFault): void {
  assert.equal(verdict.admitted ? 'admitted' : verdict.reason, reason);
}

export function assertAdmitted(verdict: ReturnType<typeof verify>): void {
  assert.equal(verdict.admitted, true, verdict.admitted ? '' : `${verdict.reason}: ${verdict.detail}`);
}

export function dersOf(pem: string): Uint8Array[] {
  return readPem(pem).blocks.map(({ der }) => der ?? new Uint8Array());
}
