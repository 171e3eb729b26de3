import {
  createPrivateKey,
  type KeyObject,
  X509Certificate as NodeCertificate,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import { refuse } from '#base/model/refusals';
import { readCertificate } from './certificate.ts';
import { DerError } from './der.ts';
import { readPem, writePem } from './pem.ts';
import {
  type Extension,
  Name,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509-library.ts';

/** What every generator here returns: certificate, and its key in PKCS#8, the one form that all SDKs read. */
export interface GeneratedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export type GeneratedKeyKind = 'P-256' | 'P-384' | 'RSA-4096';

/** A CA certificate with its key, ready to sign. */
export interface Signer {
  readonly subject: Name;
  /** Hex of its subjectKeyIdentifier, which what it signs must carry as authorityKeyIdentifier. */
  readonly keyId: string | undefined;
  readonly notAfterMs: number;
  /** The kind of key that tcld would give a leaf of this CA. */
  readonly leafKeyKind: GeneratedKeyKind;
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string };
}

/** Attributes of a subject in the order in which they shall stand. */
export type SubjectAttributes = readonly (readonly ['O' | 'OU' | 'CN', string])[];

export interface IssueRequest {
  readonly subject: SubjectAttributes;
  readonly keys: webcrypto.CryptoKeyPair;
  /** Absent: self-signed. */
  readonly signer?: Signer;
  readonly extensions: readonly Extension[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const RSA_4096 = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 4096,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
} as const;

export async function generateKeys(kind: GeneratedKeyKind): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = kind === 'RSA-4096' ? RSA_4096 : { name: 'ECDSA', namedCurve: kind };
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** Makes and signs a certificate with a random serial number. */
export async function issueCertificate(request: IssueRequest): Promise<GeneratedCertificate> {
  const subject = buildName(request.subject);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: request.signer?.subject ?? subject,
    publicKey: request.keys.publicKey,
    signingKey: request.signer?.key ?? request.keys.privateKey,
    signingAlgorithm: request.signer?.algorithm ?? signingAlgorithmOf(request.keys.privateKey),
    extensions: [...request.extensions],
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', request.keys.privateKey);
  return {
    certificatePem: writePem('CERTIFICATE', new Uint8Array(certificate.rawData)),
    privateKeyPem: writePem('PRIVATE KEY', new Uint8Array(pkcs8)),
  };
}

/** Reads a CA's certificate and key to sign with. Throws the refusal `input_invalid`, which quotes neither. */
export async function openSigner(certificatePem: string, privateKeyPem: string): Promise<Signer> {
  const certificate = openCertificate(certificatePem);
  const privateKey = openPrivateKey(privateKeyPem);
  if (!new NodeCertificate(Buffer.from(certificate.rawData)).checkPrivateKey(privateKey))
    throw refuse('input_invalid', { publicDetail: 'the ca key does not belong to the ca certificate' });
  const key = await importSigningKey(privateKey);
  return {
    subject: certificate.subjectName,
    keyId: certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId,
    notAfterMs: certificate.notAfter.getTime(),
    leafKeyKind: privateKey.asymmetricKeyType === 'rsa' ? 'RSA-4096' : 'P-384',
    key,
    algorithm: signingAlgorithmOf(key),
  };
}

function openCertificate(certificatePem: string): X509Certificate {
  const der =
    readPem(certificatePem).blocks.find(({ label }) => label === 'CERTIFICATE')?.der ?? new Uint8Array();
  // Our own reader first: it names the fault without quoting what it read.
  if (readCertificate(der) instanceof DerError)
    throw refuse('input_invalid', { publicDetail: 'decoding ca cert failed: expected a PEM certificate' });
  return new X509Certificate(der);
}

function openPrivateKey(privateKeyPem: string): KeyObject {
  try {
    return createPrivateKey(privateKeyPem);
  } catch {
    // Without the cause: what a decoder says about a key has no place in a log.
    throw refuse('input_invalid', {
      publicDetail: 'decoding ca key failed: expected an unencrypted PEM private key',
    });
  }
}

async function importSigningKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const namedCurve = CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? '');
  if (key.asymmetricKeyType !== 'rsa' && namedCurve === undefined)
    throw refuse('input_invalid', {
      publicDetail: 'the ca key is neither RSA nor ECDSA on P-256, P-384 or P-521',
    });
  const algorithm =
    namedCurve === undefined ? { name: RSA_4096.name, hash: RSA_4096.hash } : { name: 'ECDSA', namedCurve };
  return await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
}

const CURVES = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

/** The hash that fits the signing key's strength, as Go's library and so tcld chooses it. */
function signingAlgorithmOf({ algorithm }: webcrypto.CryptoKey): { name: string; hash: string } {
  const curve = 'namedCurve' in algorithm ? algorithm.namedCurve : undefined;
  if (curve === 'P-384') return { name: 'ECDSA', hash: 'SHA-384' };
  if (curve === 'P-521') return { name: 'ECDSA', hash: 'SHA-512' };
  return { name: curve === undefined ? RSA_4096.name : 'ECDSA', hash: 'SHA-256' };
}

function buildName(attributes: SubjectAttributes): Name {
  return new Name(
    attributes.map(([type, text]) => ({
      // As Go encodes: the narrower type where it can hold the text.
      [type]: [
        Name.isPrintableString(text) || text === '' ? { printableString: text } : { utf8String: text },
      ],
    })),
  );
}

/** Positive and below 2^130, as tcld's: 17 octets of which the first holds two bits. */
function randomSerial(): string {
  const octets = randomBytes(17);
  octets[0] = (octets[0] ?? 0) & 0x03;
  // Never zero, and never a leading zero octet, which DER would not allow.
  return octets.toString('hex').replace(/^(00)+/, '') || '01';
}
