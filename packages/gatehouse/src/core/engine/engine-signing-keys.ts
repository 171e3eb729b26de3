import {
  createPrivateKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '#base/crypto/secret';
import type { Clock } from '#base/runtime/clock';

/** A key that signs tokens for the engine. Lives in memory only: a restart makes another. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: JsonWebKey;
  readonly madeAtMs: number;
}

/** As much of a key as signs. */
export type TokenSigner = Pick<SigningKey, 'kid' | 'privateKey'>;

/** A key on its way to another process of the platform: never to a disk, a log or a command line. */
export interface CarriedKey {
  readonly kid: string;
  /** PKCS #8, DER. */
  readonly privateKey: Secret;
}

export function carryKey({ kid, privateKey }: TokenSigner): CarriedKey {
  return { kid, privateKey: new Secret(privateKey.export({ type: 'pkcs8', format: 'der' })) };
}

export function receiveKey({ kid, privateKey }: CarriedKey): TokenSigner {
  return { kid, privateKey: createPrivateKey({ key: privateKey.reveal(), type: 'pkcs8', format: 'der' }) };
}

/** The keys in force: one signs, and each is published before it signs and after it last signed. */
export interface SigningKeys {
  /** The key that signs now. */
  current(): SigningKey;
  /** What the engine is shown, as a JWKS document. */
  jwksJson(): string;
  /** Told by the JWKS listener after it has answered. */
  markServed(): void;
  /** Makes, activates and retires keys where it is time. Call every minute or so. */
  advance(): Promise<void>;
}

/** How long a key signs. */
export const KEY_LIFE_MS = 24 * 60 * 60 * 1000;
/**
 * From publishing a key to signing with it, and from its last token to removing it: five of the engine's
 * refreshes (1 minute each), since an unknown `kid` is refused and nothing makes the engine ask at once.
 */
export const KEY_OVERLAP_MS = 5 * 60 * 1000;

/** Makes the first key. RSA 2048, because the engine takes RS256 and ES256 only and verifies RSA faster. */
export async function createSigningKeys(clock: Clock): Promise<SigningKeys> {
  let signing = await makeKey(clock.now());
  let next: SigningKey | undefined;
  let nextServed = false;
  let retired: { readonly key: SigningKey; readonly sinceMs: number } | undefined;

  return {
    current: () => signing,
    jwksJson: () => {
      const keys = [signing, next, retired?.key].filter((key) => key !== undefined);
      return JSON.stringify({ keys: keys.map((key) => key.publicJwk) });
    },
    markServed() {
      if (next !== undefined) nextServed = true;
    },
    async advance() {
      const nowMs = clock.now();
      if (retired !== undefined && nowMs - retired.sinceMs >= KEY_OVERLAP_MS) retired = undefined;
      if (next === undefined) {
        if (nowMs - signing.madeAtMs < KEY_LIFE_MS) return;
        next = await makeKey(nowMs);
        nextServed = false;
        return;
      }
      if (!nextServed || nowMs - next.madeAtMs < KEY_OVERLAP_MS) return;
      retired = { key: signing, sinceMs: nowMs };
      signing = next;
      next = undefined;
    },
  };
}

/** A compact JWS (RFC 7515 section 7.1) with RS256. About 0.7 ms: callers cache what they sign. */
export function signJwt(key: TokenSigner, claims: Readonly<Record<string, unknown>>): string {
  const header = encode({ alg: 'RS256', typ: 'JWT', kid: key.kid });
  const signed = `${header}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

/** Makes a key of its own, with a random `kid`. */
export async function makeKey(nowMs: number): Promise<SigningKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const kid = randomBytes(12).toString('base64url');
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
  return Object.freeze({ kid, privateKey, publicJwk, madeAtMs: nowMs });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
