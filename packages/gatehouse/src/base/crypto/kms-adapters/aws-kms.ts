import type { KMSClient } from '@aws-sdk/client-kms';
import { checkServerIdentity } from '#base/wire/check-server-identity';
import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import { serviceAddress } from './https/service-address.ts';
import type { KeyService } from './key-service.ts';
import type { AwsKmsSpec } from './kms-spec.ts';
import { loadPackage } from './load-package.ts';

/**
 * AWS KMS: `Encrypt` and `Decrypt` with a symmetric key, the words as encryption context (CloudTrail shows them).
 * A ciphertext names its key and version; `KeyId` is given all the same, so that no other key is ever used.
 */
export async function openAwsKms(spec: AwsKmsSpec): Promise<KeyService> {
  const endpoint = spec.endpoint === undefined ? undefined : serviceAddress('aws endpoint', spec.endpoint);
  const credentials = credentialsOf(spec);
  const sdk = await loadPackage('@aws-sdk/client-kms', () => import('@aws-sdk/client-kms'));
  const client: KMSClient = new sdk.KMSClient({
    region: spec.region,
    // Tries are counted in one place, for all KMSs alike.
    maxAttempts: 1,
    requestHandler: { httpsAgent: { rejectUnauthorized: true, checkServerIdentity } },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  const KeyId = spec.key;
  return {
    keyId: `aws:${spec.region}:${spec.key}`,
    async encrypt(plaintext, aad, abortSignal) {
      const command = new sdk.EncryptCommand({
        KeyId,
        Plaintext: plaintext,
        EncryptionContext: contextOf(aad),
      });
      const { CiphertextBlob } = await client.send(command, { abortSignal }).catch(rethrow);
      return bytesOf(CiphertextBlob);
    },
    async decrypt(ciphertext, aad, abortSignal) {
      const command = new sdk.DecryptCommand({
        KeyId,
        CiphertextBlob: ciphertext,
        EncryptionContext: contextOf(aad),
      });
      const { Plaintext } = await client.send(command, { abortSignal }).catch(rethrow);
      return bytesOf(Plaintext);
    },
    async close() {
      client.destroy();
    },
  };
}

function credentialsOf(spec: AwsKmsSpec): { accessKeyId: string; secretAccessKey: string } | undefined {
  const { accessKeyId, secretAccessKey } = spec;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error('aws accessKeyId and secretAccessKey are given together, or neither of them');
  }
  return { accessKeyId, secretAccessKey: secretAccessKey.reveal().toString('utf8').trim() };
}

function contextOf(aad: string): Record<string, string> {
  return { gatehouse: aad };
}

function bytesOf(bytes: Uint8Array | undefined): Buffer {
  if (bytes === undefined) throw new KmsUnavailableError('the answer holds no bytes');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors */
const UNWRAP = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);
const DISABLED = new Set([
  'AccessDeniedException',
  'DisabledException',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidGrantTokenException',
  'InvalidKeyUsageException',
  'InvalidSignatureException',
  'KMSInvalidStateException',
  'MissingAuthenticationTokenException',
  'NotAuthorized',
  'NotFoundException',
  'OptInRequired',
  'UnrecognizedClientException',
  'ValidationException',
]);

/** The SDK's own error is not kept as a cause: it carries the request and the reply with it. */
function rethrow(error: unknown): never {
  const name = error instanceof Error ? error.name : 'Error';
  if (UNWRAP.has(name)) throw new UnwrapError();
  if (DISABLED.has(name)) throw new KmsKeyDisabledError(name);
  throw new KmsUnavailableError(/^\w{1,60}$/.test(name) ? name : 'the call failed');
}
