import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { crc32c } from '#base/crypto/kms-adapters/crc32c';
import { type JsonAnswer, type JsonServer, startJsonServer } from './json-server.ts';

/**
 * A STUB of Google Cloud KMS, ours, from its documentation: no part of Google's own can be had for `encrypt` and
 * `decrypt`. Versions, contexts, checksums, tokens by workload identity, and the errors that are documented.
 */
export interface GcpKmsStub extends JsonServer {
  /** Tokens that were given out. */
  readonly tokens: readonly string[];
  createKey(name: string): void;
  rotate(name: string): void;
  setState(name: string, state: GcpKeyState): void;
  /** From now on the tokens given out so far are not taken. */
  revokeTokens(): void;
  /** Answers carry wrong sums, or say that ours were not looked at. */
  damage(kind: 'none' | 'sum' | 'unverified'): void;
}

export type GcpKeyState = 'ENABLED' | 'DISABLED' | 'DESTROYED' | 'FORBIDDEN';

interface GcpKey {
  state: GcpKeyState;
  readonly versions: Buffer[];
}

export async function startGcpKmsStub(): Promise<GcpKmsStub> {
  const keys = new Map<string, GcpKey>();
  const tokens: string[] = [];
  let taken: string[] = [];
  let damaged: 'none' | 'sum' | 'unverified' = 'none';
  const server = await startJsonServer(({ url, headers, json }) => {
    if (url === '/token') {
      const token = `gcp-access-${randomBytes(12).toString('hex')}`;
      tokens.push(token);
      taken.push(token);
      const issued = 'urn:ietf:params:oauth:token-type:access_token';
      const body = { access_token: token, issued_token_type: issued, token_type: 'Bearer', expires_in: 3600 };
      return { status: 200, json: body };
    }
    const bearer = headers.authorization?.replace(/^Bearer /, '') ?? '';
    if (!taken.includes(bearer)) return failure(401, 'UNAUTHENTICATED');
    const [, name = '', verb = ''] = /^\/v1\/(.+):(encrypt|decrypt)$/.exec(url) ?? [];
    const key = keys.get(name);
    if (key === undefined) return failure(404, 'NOT_FOUND');
    if (key.state === 'FORBIDDEN') return failure(403, 'PERMISSION_DENIED');
    if (key.state !== 'ENABLED') return failure(400, 'FAILED_PRECONDITION');
    const answer = verb === 'encrypt' ? encrypt(name, key, json) : decrypt(key, json);
    return broken(answer, damaged);
  });
  return {
    ...server,
    tokens,
    createKey: (name) => keys.set(name, { state: 'ENABLED', versions: [randomBytes(32)] }),
    rotate: (name) => keys.get(name)?.versions.push(randomBytes(32)),
    setState(name, state) {
      const key = keys.get(name);
      if (key !== undefined) key.state = state;
    },
    revokeTokens() {
      taken = [];
    },
    damage(kind) {
      damaged = kind;
    },
  };
}

function failure(code: number, status: string): JsonAnswer {
  return { status: code, json: { error: { code, status, message: status } } };
}

function broken(answer: JsonAnswer, damaged: 'none' | 'sum' | 'unverified'): JsonAnswer {
  const json: Record<string, unknown> = { ...answer.json };
  for (const name of Object.keys(json)) {
    if (damaged === 'sum' && name.endsWith('Crc32c') && typeof json[name] === 'string') json[name] = '1';
    if (damaged === 'unverified' && name.startsWith('verified')) delete json[name];
  }
  return { ...answer, json };
}

/** The bytes of a field, if its sum is given and right, as the service checks it. */
function received(json: Record<string, unknown>, name: string): Buffer | undefined {
  const bytes = Buffer.from(String(json[name] ?? ''), 'base64');
  return json[`${name}Crc32c`] === String(crc32c(bytes)) ? bytes : undefined;
}

function encrypt(name: string, key: GcpKey, json: Record<string, unknown>): JsonAnswer {
  const plaintext = received(json, 'plaintext');
  const aad = received(json, 'additionalAuthenticatedData');
  if (plaintext === undefined || aad === undefined) return failure(400, 'INVALID_ARGUMENT');
  const version = key.versions.length;
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.versions[version - 1] ?? '', nonce, { authTagLength: 16 });
  const body = [cipher.setAAD(aad).update(plaintext), cipher.final()];
  const ciphertext = Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), ...body]);
  return {
    status: 200,
    json: {
      name: `${name}/cryptoKeyVersions/${version}`,
      ciphertext: ciphertext.toString('base64'),
      ciphertextCrc32c: String(crc32c(ciphertext)),
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      protectionLevel: 'SOFTWARE',
    },
  };
}

function decrypt(key: GcpKey, json: Record<string, unknown>): JsonAnswer {
  const ciphertext = received(json, 'ciphertext');
  const aad = received(json, 'additionalAuthenticatedData');
  if (ciphertext === undefined || aad === undefined) return failure(400, 'INVALID_ARGUMENT');
  const bytes = key.versions[(ciphertext[0] ?? 0) - 1];
  if (bytes === undefined || ciphertext.length < 29) return failure(400, 'INVALID_ARGUMENT');
  const decipher = createDecipheriv('aes-256-gcm', bytes, ciphertext.subarray(1, 13), { authTagLength: 16 });
  decipher.setAAD(aad).setAuthTag(ciphertext.subarray(13, 29));
  try {
    const plaintext = Buffer.concat([decipher.update(ciphertext.subarray(29)), decipher.final()]);
    return {
      status: 200,
      json: {
        plaintext: plaintext.toString('base64'),
        plaintextCrc32c: String(crc32c(plaintext)),
        usedPrimary: true,
      },
    };
  } catch {
    // The one thing that final() throws for.
    return failure(400, 'INVALID_ARGUMENT');
  }
}
