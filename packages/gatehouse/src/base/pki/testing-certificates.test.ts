// Not a suite: makes the odd certificates that the suites beside it need.
import { execFileSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePem } from './pem.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  type JsonNameParams,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from './x509-library.ts';

export const NOW_MS = Date.UTC(2026, 5, 1, 12);
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export interface MadeCertificate {
  readonly pem: string;
  readonly der: Uint8Array;
  readonly name: Name;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface Recipe {
  /** A common name, or the whole subject in the library's JSON form. */
  readonly subject: string | JsonNameParams;
  /** Absent: self-signed. */
  readonly signer?: MadeCertificate;
  /** Another name than the signer's. */
  readonly issuerName?: Name;
  /** null: no basicConstraints at all. */
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  readonly keyUsage?: number;
  readonly extendedKeyUsage?: readonly string[];
  readonly names?: JsonGeneralNames;
  readonly extensions?: readonly Extension[];
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly algorithm?: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams;
  readonly hash?: string;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
}

export const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;

export async function makeKeys(
  algorithm: NonNullable<Recipe['algorithm']> = P256,
): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** Makes a certificate by a recipe. Without more it is a leaf without usages, valid around NOW_MS. */
export async function makeCertificate(recipe: Recipe): Promise<MadeCertificate> {
  const keys = recipe.keys ?? (await makeKeys(recipe.algorithm));
  const name = new Name(
    typeof recipe.subject === 'string' ? [{ CN: [{ utf8String: recipe.subject }] }] : recipe.subject,
  );
  const signingKey = recipe.signer?.keys.privateKey ?? keys.privateKey;
  const certificate = await X509CertificateGenerator.create({
    subject: name,
    issuer: recipe.issuerName ?? recipe.signer?.name ?? name,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: { ...signingKey.algorithm, hash: recipe.hash ?? 'SHA-256' },
    extensions: extensionsOf(recipe),
    notBefore: new Date(recipe.notBeforeMs ?? NOW_MS - DAY_MS),
    notAfter: new Date(recipe.notAfterMs ?? NOW_MS + 30 * DAY_MS),
  });
  const der = new Uint8Array(certificate.rawData);
  return { der, pem: writePem('CERTIFICATE', der), name, keys };
}

/** A CA that keeps every rule. */
export async function makeCa(
  subject: Recipe['subject'],
  recipe: Partial<Recipe> = {},
): Promise<MadeCertificate> {
  const usages = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
  return await makeCertificate({ subject, ca: true, keyUsage: usages, ...recipe });
}

function extensionsOf(recipe: Recipe): Extension[] {
  const { ca = false, keyUsage, extendedKeyUsage, names } = recipe;
  return [
    ...(ca === null ? [] : [new BasicConstraintsExtension(ca, recipe.pathLength, true)]),
    ...(keyUsage === undefined ? [] : [new KeyUsagesExtension(keyUsage, true)]),
    ...(extendedKeyUsage === undefined ? [] : [new ExtendedKeyUsageExtension([...extendedKeyUsage])]),
    ...(names === undefined ? [] : [new SubjectAlternativeNameExtension(names)]),
    ...(recipe.extensions ?? []),
  ];
}

export interface OpensslFolder {
  /** Runs openssl in the folder; words are split at spaces. */
  run(command: string): void;
  write(file: string, text: string): void;
  read(file: string): string;
  close(): void;
}

/** A folder in which openssl makes what the library cannot. */
export function openOpensslFolder(): OpensslFolder {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pki-'));
  return {
    run: (command) => void execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'pipe' }),
    write: (file, text) => writeFileSync(join(folder, file), text),
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
