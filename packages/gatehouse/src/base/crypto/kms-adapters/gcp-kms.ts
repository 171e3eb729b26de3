import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import { crc32c } from './crc32c.ts';
import { openGcpTokens } from './gcp-token.ts';
import { callWithBearer } from './https/bearer.ts';
import { base64Of, fieldOf, textOf } from './https/json-fields.ts';
import { serviceAddress } from './https/service-address.ts';
import { createServiceClient, type ServiceAnswer } from './https/service-client.ts';
import type { KeyService } from './key-service.ts';
import type { GcpKmsSpec } from './kms-spec.ts';

const KEY_NAME = /^projects\/[^/\s]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+$/;

/**
 * Google Cloud KMS over REST: `encrypt` and `decrypt` of a symmetric key with `additionalAuthenticatedData`. All
 * that travels has its CRC-32C with it, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks for;
 * one that does not fit is a broken way there, and tried again.
 */
export async function openGcpKms(spec: GcpKmsSpec): Promise<KeyService> {
  if (!KEY_NAME.test(spec.key)) {
    throw new Error('gcp key must be projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version');
  }
  const address = serviceAddress('gcp endpoint', spec.endpoint ?? 'https://cloudkms.googleapis.com');
  const tokens = await openGcpTokens(spec.credentialsFile);
  const client = createServiceClient();
  const ask = async (verb: string, body: object, signal: AbortSignal): Promise<ServiceAnswer> => {
    const url = `${address}/v1/${spec.key}:${verb}`;
    return await callWithBearer(client, tokens, { method: 'POST', url, headers: {}, body }, signal);
  };
  return {
    keyId: `gcp:${spec.key}`,
    async encrypt(plaintext, aad, signal) {
      const body = { ...checked('plaintext', plaintext), ...bound(aad) };
      const answer = await ask('encrypt', body, signal);
      if (answer.status !== 200) throw failureOf(answer, 'encrypt');
      const { json } = answer;
      const isReceived =
        fieldOf(json, 'verifiedPlaintextCrc32c') === true &&
        fieldOf(json, 'verifiedAdditionalAuthenticatedDataCrc32c') === true;
      const isOurs = textOf(json, 'name')?.startsWith(`${spec.key}/cryptoKeyVersions/`) === true;
      if (!isReceived || !isOurs) throw new KmsUnavailableError('the answer is not to what was sent');
      return bytesOf(json, 'ciphertext');
    },
    async decrypt(ciphertext, aad, signal) {
      const body = { ...checked('ciphertext', ciphertext), ...bound(aad) };
      const answer = await ask('decrypt', body, signal);
      if (answer.status !== 200) throw failureOf(answer, 'decrypt');
      return bytesOf(answer.json, 'plaintext');
    },
    async close() {
      client.close();
    },
  };
}

/** A field and its sum, which is a string: proto3 JSON writes int64 so. */
function checked(name: string, bytes: Buffer): Record<string, string> {
  return { [name]: bytes.toString('base64'), [`${name}Crc32c`]: `${crc32c(bytes)}` };
}

function bound(aad: string): Record<string, string> {
  return checked('additionalAuthenticatedData', Buffer.from(aad, 'utf8'));
}

function bytesOf(json: unknown, name: string): Buffer {
  const bytes = base64Of(textOf(json, name));
  const sum = fieldOf(json, `${name}Crc32c`);
  if (bytes === undefined || String(sum) !== String(crc32c(bytes))) {
    throw new KmsUnavailableError('the answer was damaged on its way');
  }
  return bytes;
}

/** https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/decrypt */
function failureOf({ status, json }: ServiceAnswer, call: 'encrypt' | 'decrypt'): Error {
  const reason = textOf(json, 'error', 'status');
  if (reason === 'FAILED_PRECONDITION') {
    return new KmsKeyDisabledError('the version of the key is disabled or destroyed');
  }
  if (status === 400 && call === 'decrypt') return new UnwrapError();
  if (status === 400) return new KmsKeyDisabledError('the key is none that encrypts (status 400)');
  if (status === 401) return new KmsKeyDisabledError('the credentials are refused (status 401)');
  if (status === 403) return new KmsKeyDisabledError('no permission (status 403)');
  if (status === 404) return new KmsKeyDisabledError('there is no such key');
  return new KmsUnavailableError(`status ${status}`);
}
