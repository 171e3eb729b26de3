import { createSecretKey, type KeyObject } from 'node:crypto';
import { KEY_BYTES } from './aes-gcm.ts';
import { CodecError, quote } from './codec-error.ts';
import type { CodecKey, KeyProvider } from './codec-keys.ts';

/** The keys of this process. Prints as nothing in every way JavaScript can print. */
export interface Keyring {
  /** The key that encrypts now. */
  newest(): RingKey;
  /** Loads the keys again, but not more often than every `RELOAD_PAUSE_MS`, where this one is not among them. */
  find(id: string): Promise<KeyObject | undefined>;
  /** Loads the keys again. On a fault the old ones stay. */
  reload(): Promise<void>;
}

export interface RingKey {
  readonly id: string;
  readonly key: KeyObject;
}

export interface KeyringOptions {
  /** Told why the keys could not be loaded again for a payload that names an unknown one. */
  readonly onReloadError?: (error: unknown) => void;
  /** Milliseconds of any clock that only goes forward. */
  readonly now?: () => number;
}

/** Payloads that name keys which nobody has must not become a load on the KMS. */
export const RELOAD_PAUSE_MS = 10_000;

/** Longer ids would weigh on every payload. */
const ID_CHARS_MAX = 200;

/** @throws CodecError `bad_keys`; whatever the provider throws. */
export async function openKeyring(provider: KeyProvider, options: KeyringOptions = {}): Promise<Keyring> {
  const now = options.now ?? (() => performance.now());
  let ring = buildRing(await provider());
  let loadedAt = now();
  let loading: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    // Counted from the beginning, and for failures too: that is what spares the KMS.
    loadedAt = now();
    ring = buildRing(await provider());
  };
  const reload = (): Promise<void> => {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };
  return {
    newest: () => ring.newest,
    async find(id) {
      const known = ring.keys.get(id);
      if (known !== undefined) return known;
      if (loading === undefined && now() - loadedAt < RELOAD_PAUSE_MS) return undefined;
      await reload().catch((error: unknown) => options.onReloadError?.(error));
      return ring.keys.get(id);
    },
    reload,
  };
}

interface Ring {
  readonly newest: RingKey;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

function buildRing(keys: readonly CodecKey[]): Ring {
  const ring = new Map<string, KeyObject>();
  let newest: RingKey | undefined;
  for (const { id, key: bytes, decryptOnly } of keys) {
    if (id === '' || id.length > ID_CHARS_MAX)
      throw new CodecError('bad_keys', `a key id is 1 to ${ID_CHARS_MAX} characters`);
    if (ring.has(id)) throw new CodecError('bad_keys', `two keys are called ${quote(id)}`);
    if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES)
      throw new CodecError('bad_keys', `the key ${quote(id)} is not ${KEY_BYTES} bytes, as AES-256 needs`);
    const key = createSecretKey(bytes);
    ring.set(id, key);
    if (decryptOnly !== true) newest = { id, key };
  }
  if (newest === undefined)
    throw new CodecError(
      'bad_keys',
      ring.size === 0 ? 'there is no key' : 'every key is decrypt-only: one must encrypt',
    );
  return { newest, keys: ring };
}
