import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import { openAzureTokens } from './azure-token.ts';
import { callWithBearer } from './https/bearer.ts';
import { base64Of, textOf } from './https/json-fields.ts';
import { serviceAddress } from './https/service-address.ts';
import { createServiceClient, type ServiceAnswer } from './https/service-client.ts';
import type { KeyService } from './key-service.ts';
import type { AzureKmsSpec } from './kms-spec.ts';
import { openUnderLocalKey, sealUnderLocalKey } from './local-key-box.ts';

const API_VERSION = '7.4';
const ALGORITHM = 'RSA-OAEP-256';

/**
 * Azure Key Vault and Managed HSM over REST: `wrapkey` and `unwrapkey` of an RSA key. RSA-OAEP binds no words, so
 * it wraps a local key (local-key-box.ts). Not by the SDK's CryptographyClient: that encrypts by itself with the
 * public key it once fetched, and so goes on wrapping under a key that has been disabled since.
 */
export async function openAzureKms(spec: AzureKmsSpec): Promise<KeyService> {
  const address = serviceAddress('azure vaultUrl', spec.vaultUrl);
  const name = segmentOf('key', spec.key);
  const fixed = spec.version === undefined ? undefined : segmentOf('version', spec.version);
  const client = createServiceClient();
  const tokens = await openAzureTokens(spec, new URL(address).hostname, client);
  const key = `${address}/keys/${name}`;
  const ask = async (
    verb: 'wrapkey' | 'unwrapkey',
    version: string | undefined,
    value: Buffer,
    signal: AbortSignal,
  ): Promise<{ readonly version: string; readonly value: Buffer }> => {
    const url = `${key}${version === undefined ? '' : `/${version}`}/${verb}?api-version=${API_VERSION}`;
    const body = { alg: ALGORITHM, value: value.toString('base64url') };
    const answer = await callWithBearer(client, tokens, { method: 'POST', url, headers: {}, body }, signal);
    if (answer.status !== 200) throw failureOf(answer, verb);
    const result = base64Of(textOf(answer.json, 'value'));
    const used = textOf(answer.json, 'kid')?.split('/').at(-1);
    const isOurs = used !== undefined && (version === undefined || used === version);
    if (result === undefined || !isOurs)
      throw new KmsUnavailableError('the answer is not one of a key vault');
    return { version: used, value: result };
  };
  return {
    keyId: `azure:${key}${fixed === undefined ? '' : `/${fixed}`}`,
    encrypt: (plaintext, aad, signal) =>
      sealUnderLocalKey(aad, plaintext, async (localKey) => {
        const { version, value } = await ask('wrapkey', fixed, localKey, signal);
        return { version, wrapped: value };
      }),
    async decrypt(ciphertext, aad, signal) {
      const plaintext = await openUnderLocalKey(
        aad,
        ciphertext,
        async ({ version, wrapped }) => (await ask('unwrapkey', version, wrapped, signal)).value,
      );
      if (plaintext === undefined) throw new UnwrapError();
      return plaintext;
    },
    async close() {
      client.close();
    },
  };
}

function segmentOf(setting: string, text: string): string {
  if (/^[0-9A-Za-z-]{1,127}$/.test(text)) return text;
  throw new Error(`azure ${setting} may hold letters, digits and "-" only, at most 127`);
}

/** https://learn.microsoft.com/azure/key-vault/general/rest-error-codes */
function failureOf({ status, json }: ServiceAnswer, verb: 'wrapkey' | 'unwrapkey'): Error {
  if (status === 400) {
    return verb === 'unwrapkey' ? new UnwrapError() : new KmsKeyDisabledError('the key is none that wraps');
  }
  if (status === 401) return new KmsKeyDisabledError('the credentials are refused (status 401)');
  if (status === 403) {
    const isDisabled = textOf(json, 'error', 'innererror', 'code') === 'KeyDisabled';
    return new KmsKeyDisabledError(isDisabled ? 'the key is disabled' : 'no permission (status 403)');
  }
  if (status === 404) return new KmsKeyDisabledError('there is no such key or version');
  if (status === 409) return new KmsKeyDisabledError('the key is deleted');
  return new KmsUnavailableError(`status ${status}`);
}
