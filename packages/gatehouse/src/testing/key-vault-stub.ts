import {
  constants,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { type JsonAnswer, type JsonServer, startJsonServer } from './json-server.ts';

/**
 * A STUB of Azure Key Vault and of its authority, ours, from their documentation: `wrapkey` and `unwrapkey` with
 * RSA-OAEP-256, versions, client credentials, and the errors that are documented.
 */
export interface KeyVaultStub extends JsonServer {
  readonly tokens: readonly string[];
  createKey(name: string): void;
  rotate(name: string): void;
  setState(name: string, state: VaultKeyState): void;
  revokeTokens(): void;
}

export type VaultKeyState = 'enabled' | 'disabled' | 'deleted' | 'forbidden';

export interface VaultApplication {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

interface VaultKey {
  state: VaultKeyState;
  /** Oldest first. */
  readonly versions: Map<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>;
}

export async function startKeyVaultStub(application: VaultApplication): Promise<KeyVaultStub> {
  const keys = new Map<string, VaultKey>();
  const tokens: string[] = [];
  let taken: string[] = [];
  const addVersion = (key: VaultKey): void => {
    key.versions.set(randomBytes(16).toString('hex'), generateKeyPairSync('rsa', { modulusLength: 2048 }));
  };
  const server = await startJsonServer(({ url, headers, body, json }) => {
    if (url === `/${application.tenantId}/oauth2/v2.0/token`) {
      const form = new URLSearchParams(body);
      const isKnown =
        form.get('grant_type') === 'client_credentials' &&
        form.get('scope') === 'https://vault.azure.net/.default' &&
        form.get('client_id') === application.clientId &&
        form.get('client_secret') === application.clientSecret;
      if (!isKnown) return { status: 401, json: { error: 'invalid_client' } };
      const token = `entra-access-${randomBytes(12).toString('hex')}`;
      tokens.push(token);
      taken.push(token);
      return { status: 200, json: { token_type: 'Bearer', expires_in: 3599, access_token: token } };
    }
    if (!taken.includes(headers.authorization?.replace(/^Bearer /, '') ?? ''))
      return failure(401, 'Unauthorized');
    const parts = /^\/keys\/([^/?]+)(?:\/([^/?]+))?\/(wrapkey|unwrapkey)\?api-version=7\.4$/.exec(url);
    const [, name = '', version, verb = ''] = parts ?? [];
    const key = keys.get(name);
    if (key === undefined) return failure(404, 'KeyNotFound');
    if (key.state === 'deleted') return failure(404, 'KeyNotFound');
    if (key.state === 'disabled') return failure(403, 'Forbidden', 'KeyDisabled');
    if (key.state === 'forbidden') return failure(403, 'Forbidden', 'ForbiddenByRbac');
    const used = version ?? [...key.versions.keys()].at(-1) ?? '';
    const pair = key.versions.get(used);
    if (pair === undefined) return failure(404, 'KeyNotFound');
    if (json['alg'] !== 'RSA-OAEP-256') return failure(400, 'BadParameter');
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    const value = Buffer.from(String(json['value']), 'base64url');
    try {
      const result =
        verb === 'wrapkey'
          ? publicEncrypt({ key: pair.publicKey, ...padding }, value)
          : privateDecrypt({ key: pair.privateKey, ...padding }, value);
      const kid = `https://stub.vault.azure.net/keys/${name}/${used}`;
      return { status: 200, json: { kid, value: result.toString('base64url') } };
    } catch {
      // OpenSSL refuses what was not wrapped under this key.
      return failure(400, 'BadParameter');
    }
  });
  return {
    ...server,
    tokens,
    createKey(name) {
      const key: VaultKey = { state: 'enabled', versions: new Map() };
      addVersion(key);
      keys.set(name, key);
    },
    rotate(name) {
      const key = keys.get(name);
      if (key !== undefined) addVersion(key);
    },
    setState(name, state) {
      const key = keys.get(name);
      if (key !== undefined) key.state = state;
    },
    revokeTokens() {
      taken = [];
    },
  };
}

function failure(status: number, code: string, inner?: string): JsonAnswer {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return { status, json: { error: { code, message: code, ...innererror } } };
}
