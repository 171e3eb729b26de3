import { readFile } from 'node:fs/promises';
import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import { textOf } from './https/json-fields.ts';
import { serviceAddress } from './https/service-address.ts';
import { createServiceClient, type ServiceAnswer } from './https/service-client.ts';
import type { KeyService } from './key-service.ts';
import type { VaultKmsSpec } from './kms-spec.ts';
import { keepTokenAlive, type TokenDeps } from './vault-token.ts';

/** Also bounds what a changed row can make us send. */
const CIPHERTEXT = /^vault:v[1-9][0-9]{0,9}:[A-Za-z0-9+/]+={0,2}$/;

/**
 * The transit engine of Vault (1.13 or newer) or OpenBao: `encrypt` and `decrypt` of one key of an AEAD type, with
 * the words as `associated_data`. Ciphertexts name their version, so old ones open after a rotation.
 */
export async function openVaultKms(spec: VaultKmsSpec, deps: TokenDeps): Promise<KeyService> {
  const address = serviceAddress('vault address', spec.address);
  const mount = pathOf('mount', spec.mount ?? 'transit');
  const key = pathOf('key', spec.key);
  const space = spec.vaultNamespace === undefined ? undefined : pathOf('vaultNamespace', spec.vaultNamespace);
  const client = createServiceClient(spec.caFile === undefined ? undefined : await readCa(spec.caFile));
  const ask = (path: string, body: object | undefined, signal: AbortSignal): Promise<ServiceAnswer> =>
    client.call(
      {
        method: body === undefined ? 'GET' : 'POST',
        url: `${address}/v1/${path}`,
        headers: {
          'x-vault-request': 'true',
          'x-vault-token': spec.token.reveal().toString('utf8').trim(),
          ...(space === undefined ? {} : { 'x-vault-namespace': space }),
        },
        ...(body === undefined ? {} : { body }),
      },
      signal,
    );
  const keyId = `vault:${[address, ...(space === undefined ? [] : [space]), mount, key].join('/')}`;
  const renewal = keepTokenAlive(ask, { ...deps, log: deps.log.with({ kms: keyId }) });
  return {
    keyId,
    async encrypt(plaintext, aad, signal) {
      const body = { plaintext: plaintext.toString('base64'), associated_data: base64(aad) };
      const answer = await ask(`${mount}/encrypt/${key}`, body, signal);
      if (answer.status !== 200) throw failureOf(answer, 'encrypt');
      const ciphertext = textOf(answer.json, 'data', 'ciphertext');
      if (ciphertext === undefined || !CIPHERTEXT.test(ciphertext)) throw strangeAnswer();
      return Buffer.from(ciphertext, 'ascii');
    },
    async decrypt(ciphertext, aad, signal) {
      const text = ciphertext.toString('latin1');
      if (!CIPHERTEXT.test(text)) throw new UnwrapError();
      const body = { ciphertext: text, associated_data: base64(aad) };
      const answer = await ask(`${mount}/decrypt/${key}`, body, signal);
      if (answer.status !== 200) throw failureOf(answer, 'decrypt');
      const plaintext = textOf(answer.json, 'data', 'plaintext');
      if (plaintext === undefined) throw strangeAnswer();
      return Buffer.from(plaintext, 'base64');
    },
    async close() {
      renewal.end();
      client.close();
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A path of the API, as it may stand in a URL. */
function pathOf(setting: string, text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '');
  const isPath = /^[\w.-]+(?:\/[\w.-]+)*$/.test(path) && !path.split('/').some((part) => /^\.+$/.test(part));
  if (!isPath) throw new Error(`vault ${setting} may hold letters, digits, "_", ".", "-" and "/" only`);
  return path;
}

async function readCa(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`vault caFile ${path} cannot be read: give this user read access`, { cause: error });
  });
}

/** The API tells causes apart by text alone, almost all with status 400 (seen with OpenBao 2.7 and Vault's source). */
function failureOf(answer: ServiceAnswer, call: 'encrypt' | 'decrypt'): Error {
  const { status } = answer;
  const said = textOf(answer.json, 'errors', 0) ?? '';
  if (/message authentication failed|invalid ciphertext/.test(said)) return new UnwrapError();
  if (/key not found/.test(said)) return new KmsKeyDisabledError('there is no such key');
  if (/soft-deleted/.test(said)) return new KmsKeyDisabledError('the key is deleted');
  if (/disallowed by policy/.test(said))
    return new KmsKeyDisabledError('this version of the key is disabled');
  if (/associated_data|AEAD/.test(said)) {
    return new KmsKeyDisabledError('its type cannot bind a context: make it of type aes256-gcm96');
  }
  if (status === 401 || status === 403) {
    return new KmsKeyDisabledError('the token is no longer valid or its policy does not permit this');
  }
  if (status === 404) return new KmsKeyDisabledError('there is no transit engine at this mount');
  if (status === 400) {
    return call === 'decrypt'
      ? new UnwrapError()
      : new KmsKeyDisabledError('encrypt is refused with status 400');
  }
  if (status === 503) return new KmsUnavailableError('sealed, standing by or in maintenance (status 503)');
  return new KmsUnavailableError(`status ${status}`);
}

function strangeAnswer(): Error {
  return new KmsUnavailableError('the answer is not one of a transit engine');
}
