import type { Log } from '#base/runtime/log';
import type { Secret } from '../secret.ts';

/** One KMS and one key in it, as configured under `encryption.kms`; docs/kms.md has an example of each. */
export type KmsSpec = LocalKmsSpec | VaultKmsSpec | AwsKmsSpec | GcpKmsSpec | AzureKmsSpec | Pkcs11KmsSpec;

export interface LocalKmsSpec {
  readonly kind: 'local';
  readonly keyFile: string;
}

/** The transit engine of Vault or OpenBao. */
export interface VaultKmsSpec {
  readonly kind: 'vault';
  /** https; http on the loopback only. */
  readonly address: string;
  /** Path of the transit engine; `transit` if not given. */
  readonly mount?: string | undefined;
  readonly key: string;
  readonly token: Secret;
  /** PEM of the CAs that are trusted instead of the usual ones. */
  readonly caFile?: string | undefined;
  readonly vaultNamespace?: string | undefined;
}

export interface AwsKmsSpec {
  readonly kind: 'aws';
  /** Id, ARN or alias. */
  readonly key: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  /** Both or neither; without them the SDK looks where it always does. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: Secret | undefined;
}

export interface GcpKmsSpec {
  readonly kind: 'gcp';
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`. */
  readonly key: string;
  readonly endpoint?: string | undefined;
  /** Without it, Google's application default credentials. */
  readonly credentialsFile?: string | undefined;
}

export interface AzureKmsSpec {
  readonly kind: 'azure';
  readonly vaultUrl: string;
  /** Name of an RSA key. */
  readonly key: string;
  /** New wraps use this version; the current one if not given. */
  readonly version?: string | undefined;
  readonly tenantId?: string | undefined;
  /** With `clientSecret` an application, without it a managed identity. */
  readonly clientId?: string | undefined;
  readonly clientSecret?: Secret | undefined;
  /** Of a sovereign cloud; `https://login.microsoftonline.com` if not given. */
  readonly authorityHost?: string | undefined;
}

export interface Pkcs11KmsSpec {
  readonly kind: 'pkcs11';
  /** Path of the vendor's library. */
  readonly library: string;
  readonly tokenLabel: string;
  /** Label of an AES-256 key. */
  readonly keyLabel: string;
  readonly pin: Secret;
}

export interface KmsDeps {
  readonly log: Log;
  /** For one try, of which a call has two at most; 5000 if not given. */
  readonly timeoutMs?: number;
}
