import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type Clock, systemClock } from '#base/runtime/clock';
import { openBox, sealBox } from './aead.ts';
import type { Secret } from './secret.ts';

/** Bytes of a tag: half of SHA-256, the shortest that RFC 2104 section 5 recommends. */
const TAG_BYTES = 16;
const DAY_MS = 86_400_000;

/** A token-binding key as it is kept. */
export interface TokenKey {
  /** 1 to 65535, given in the order of making and never again: a token names its key by it. */
  readonly id: number;
  readonly createdAtMs: number;
  readonly key: Secret;
}

export type TokenKeyName = Pick<TokenKey, 'id' | 'createdAtMs'>;

export interface TokenKeyringOptions {
  /**
   * How long a key is known before it is used (one day by default). With the ceiling on the age of the
   * directory's snapshot as the value, every replica that may still serve can check what any other signs.
   */
  readonly activateAfterMs?: number;
  /** How long a key is accepted after its successor came into use (30 days by default). */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** The keys that bind task tokens, query tokens and page tokens to one namespace. Immutable. */
export interface TokenKeyring {
  /** The key to sign with now. */
  readonly current: TokenKeyName;
  /** A key that is accepted now. */
  byId(id: number): TokenKeyName | undefined;
  /** HMAC-SHA-256 over the parts and their boundaries, cut to 16 bytes. @throws RangeError for an unknown key. */
  mac(keyId: number, parts: readonly Uint8Array[]): Buffer;
  /** False for an unknown key, one past its grace, and any other tag. In constant time. */
  verify(keyId: number, parts: readonly Uint8Array[], mac: Uint8Array): boolean;
  /** Seals what must not be read where it goes, bound to `aad`. @throws RangeError for an unknown key. */
  seal(keyId: number, aad: Uint8Array, plaintext: Uint8Array): Buffer;
  /** `undefined` for an unknown key, one past its grace, and any box that it did not seal for this `aad`. */
  open(keyId: number, aad: Uint8Array, box: Uint8Array): Buffer | undefined;
}

interface HeldKey {
  readonly name: TokenKeyName;
  readonly key: KeyObject;
  /** Another key than that of the tags, derived at its first use. */
  readonly sealingKey: () => KeyObject;
  readonly activeFromMs: number;
  readonly acceptedUntilMs: number;
}

/** @throws RangeError for no keys at all, an id out of range or one given twice. */
export function createTokenKeyring(
  keys: readonly TokenKey[],
  options: TokenKeyringOptions = {},
): TokenKeyring {
  const { activateAfterMs = DAY_MS, graceMs = 30 * DAY_MS, clock = systemClock } = options;
  const held = holdKeys(keys, activateAfterMs, graceMs);
  const byId = new Map(held.map((each) => [each.name.id, each]));
  const first = held[0];
  if (first === undefined) throw new RangeError('a token keyring needs at least one key');
  const accepted = (id: number): HeldKey | undefined => {
    const found = byId.get(id);
    return found !== undefined && clock.now() < found.acceptedUntilMs ? found : undefined;
  };
  return Object.freeze({
    get current() {
      const now = clock.now();
      return (held.findLast((each) => each.activeFromMs <= now) ?? first).name;
    },
    byId: (id: number) => accepted(id)?.name,
    mac(keyId: number, parts: readonly Uint8Array[]) {
      const found = byId.get(keyId);
      if (found === undefined) throw new RangeError(`no token key ${keyId}`);
      return tagOf(found.key, parts);
    },
    verify(keyId: number, parts: readonly Uint8Array[], mac: Uint8Array) {
      const found = accepted(keyId);
      if (found === undefined || mac.length !== TAG_BYTES) return false;
      return timingSafeEqual(tagOf(found.key, parts), mac);
    },
    seal(keyId: number, aad: Uint8Array, plaintext: Uint8Array) {
      const found = byId.get(keyId);
      if (found === undefined) throw new RangeError(`no token key ${keyId}`);
      return sealBox(found.sealingKey(), aad, plaintext);
    },
    open(keyId: number, aad: Uint8Array, box: Uint8Array) {
      const found = accepted(keyId);
      return found === undefined ? undefined : openBox(found.sealingKey(), aad, box);
    },
  });
}

function holdKeys(keys: readonly TokenKey[], activateAfterMs: number, graceMs: number): HeldKey[] {
  const sorted = [...keys].sort((a, b) => a.id - b.id);
  return sorted.map((each, index) => {
    const successor = sorted[index + 1];
    if (!Number.isInteger(each.id) || each.id < 1 || each.id > 0xffff || each.id === successor?.id) {
      throw new RangeError(`token key id ${each.id} is out of range or given twice`);
    }
    const key = createSecretKey(each.key.reveal());
    return {
      name: Object.freeze({ id: each.id, createdAtMs: each.createdAtMs }),
      key,
      sealingKey: once(() => deriveSealingKey(key)),
      activeFromMs: each.createdAtMs + activateAfterMs,
      acceptedUntilMs: successor === undefined ? Infinity : successor.createdAtMs + activateAfterMs + graceMs,
    };
  });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** RFC 5869, without a salt: the input is uniform already. */
function deriveSealingKey(key: KeyObject): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', 'gatehouse token sealing', 32)));
}

/** The count and lengths go first, so that no other cut of the same bytes has the same tag. */
function tagOf(key: KeyObject, parts: readonly Uint8Array[]): Buffer {
  const bounds = Buffer.allocUnsafe(1 + 4 * parts.length);
  bounds.writeUInt8(parts.length, 0);
  parts.forEach((part, index) => {
    bounds.writeUInt32BE(part.length, 1 + 4 * index);
  });
  // One update: each one is a call into native code that costs more than copying a token.
  return createHmac('sha256', key)
    .update(Buffer.concat([bounds, ...parts]))
    .digest()
    .subarray(0, TAG_BYTES);
}
