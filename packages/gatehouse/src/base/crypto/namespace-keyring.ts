import { createSecretKey, type KeyObject } from 'node:crypto';
import { type Clock, systemClock } from '#base/runtime/clock';
import { DATA_KEY_LIMITS } from './data-key.ts';
import { type NonceSource, processNonces } from './nonce-source.ts';
import { createPayloadBoxes } from './payload-boxes.ts';
import {
  type AttributeSealer,
  createAttributeSealer,
  keyIdOfSealedAttribute,
  parseSealedAttribute,
} from './sealed-attribute.ts';
import { BOX_OVERHEAD_BYTES, isBox, KEY_ID_PATTERN, keyIdIn } from './sealed-box.ts';
import type { Secret } from './secret.ts';

/** Where a ciphertext belongs. Each is bound into it: moved across any of these, it does not open (T-079). */
export interface SealScope {
  readonly region: string;
  readonly account: string;
  /** The namespace's incarnation. */
  readonly namespaceUuid: string;
}

/** What a ciphertext is: one of a kind does not open where another is due. */
export type SealedKind = 'payload' | 'failure' | 'text';

/** A namespace key, unwrapped. */
export interface NamespaceKey {
  /** 16 hex digits, random, unique over all namespaces: a ciphertext names its key by it. */
  readonly id: string;
  /** `payload` keys seal what is opened again; the `attribute` key seals values that equality is asked of. */
  readonly purpose: 'payload' | 'attribute';
  readonly createdAtMs: number;
  readonly key: Secret;
}

/** Seals and opens for one namespace. All methods are synchronous and allocate little: the hot path. */
export interface NamespaceKeyring {
  readonly scope: SealScope;
  /** Can it seal, that is, has it a `payload` key? */
  readonly canSeal: boolean;
  hasKey(keyId: string): boolean;
  /** Length of what {@link sealInto} makes of this many bytes. */
  sealedLength(plaintextLength: number): number;
  /**
   * Writes a sealed box into `target` at `offset` and returns the position after it. The plaintext must not
   * overlap the place of the box. @throws RangeError without a key, or where the target is too small.
   */
  sealInto(kind: SealedKind, plaintext: Uint8Array, target: Buffer, offset: number): number;
  /** The same box in pieces, for a large plaintext: nothing is copied. @throws RangeError without a key. */
  sealPieces(kind: SealedKind, plaintext: Uint8Array): Buffer[];
  /** `undefined` for every box that is not whole, ours, of this scope and kind. */
  open(kind: SealedKind, box: Uint8Array): Buffer | undefined;
  /**
   * The same value always gives the same text, `gh1.<base64url>`, of at most 255 characters. `undefined` where
   * it is too long (`ATTRIBUTE_VALUE_BYTES_MAX` in sealed-attribute.ts). @throws RangeError without a key.
   */
  sealAttribute(attribute: string, value: string): string | undefined;
  /** The text under every attribute key there is, newest first: for filters, after a rotation. As above. */
  sealAttributeAll(attribute: string, value: string): readonly string[] | undefined;
  openAttribute(attribute: string, sealed: string): string | undefined;
  /** Drops every key. From then on it has none: it seals nothing and opens nothing. */
  forget(): void;
}

/** All may be left out. */
export interface NamespaceKeyringOptions {
  readonly clock?: Clock;
  /** Age at which the data key that seals is replaced, in milliseconds: one hour; at most a day. */
  readonly dataKeyMaxAgeMs?: number;
  /** Messages under one data key: 2^24; at most 2^32. */
  readonly dataKeyMaxMessages?: number;
  /** Plaintext under one data key, in bytes: 2^36, which is also the most. A longer message has a key of its own. */
  readonly dataKeyMaxBytes?: number;
  /** Derived keys that are kept for opening (256): one per process and hour of what is being read. */
  readonly openedKeysMax?: number;
  /** Where nonces and salts come from: the one source of this process. Another one is for tests. */
  readonly nonces?: NonceSource;
}

/**
 * Takes the keys over: their Secrets are destroyed, and from then on they live in KeyObjects, which never
 * print. The newest `payload` key seals, the newest `attribute` key too; all of them open.
 * @throws RangeError for a malformed id or one given twice, a key that has not 32 bytes or was destroyed, and
 *   limits that are out of range. No message holds key material.
 */
export function createNamespaceKeyring(
  scope: SealScope,
  keys: readonly NamespaceKey[],
  options: NamespaceKeyringOptions = {},
): NamespaceKeyring {
  checkKeys(keys);
  const words = [scope.region, scope.account, scope.namespaceUuid];
  const held = holdKeys(keys);
  const boxes = createPayloadBoxes(held.payload, words, KINDS, {
    clock: options.clock ?? systemClock,
    nonces: options.nonces ?? processNonces(),
    openedKeysMax: options.openedKeysMax ?? 256,
    limits: {
      ageMaxMs: options.dataKeyMaxAgeMs ?? DATA_KEY_LIMITS.ageMaxMs,
      messagesMax: options.dataKeyMaxMessages ?? DATA_KEY_LIMITS.messagesMax,
      bytesMax: options.dataKeyMaxBytes ?? DATA_KEY_LIMITS.bytesMax,
    },
  });
  const sealers = new Map<string, AttributeSealer>();
  for (const [id, key] of held.attribute) sealers.set(id, createAttributeSealer(key, id, words));

  const sealAttributeAll = (attribute: string, value: string): readonly string[] | undefined => {
    if (sealers.size === 0) throw new RangeError('no namespace key to seal attributes with');
    const texts = Array.from(sealers.values(), (sealer) => sealer.seal(attribute, value));
    // Whether it fits depends on the value alone.
    return texts.every((text) => text !== undefined) ? texts : undefined;
  };

  return Object.freeze({
    scope: Object.freeze({ ...scope }),
    get canSeal() {
      return boxes.canSeal;
    },
    hasKey: (keyId: string) => boxes.has(keyId) || sealers.has(keyId),
    sealedLength: (plaintextLength: number) => plaintextLength + BOX_OVERHEAD_BYTES,
    sealInto: boxes.seal,
    sealPieces: boxes.sealPieces,
    open: boxes.open,
    sealAttribute(attribute: string, value: string) {
      for (const newest of sealers.values()) return newest.seal(attribute, value);
      throw new RangeError('no namespace key to seal attributes with');
    },
    sealAttributeAll,
    openAttribute(attribute: string, sealed: string) {
      const bytes = parseSealedAttribute(sealed);
      return bytes && sealers.get(keyIdOfSealedAttribute(bytes))?.open(attribute, bytes);
    },
    forget() {
      boxes.forget();
      sealers.clear();
    },
  });
}

/** Names the key that a box needs; `undefined` where it is no box of this version. */
export function keyIdOfBox(box: Uint8Array): string | undefined {
  return isBox(box) ? keyIdIn(box) : undefined;
}

const KINDS: readonly SealedKind[] = ['payload', 'failure', 'text'];
const KEY_BYTES = 32;

function checkKeys(keys: readonly NamespaceKey[]): void {
  const ids = new Set<string>();
  for (const { id, key } of keys) {
    if (!KEY_ID_PATTERN.test(id)) throw new RangeError('the id of a namespace key is 16 hex digits');
    if (ids.has(id)) throw new RangeError(`namespace key ${id} is given twice`);
    if (key.length !== KEY_BYTES) throw new RangeError(`namespace key ${id} has not 32 bytes`);
    // What is left of a destroyed Secret is zeros, which would seal as well as any key.
    if (key.reveal().every((byte) => byte === 0)) throw new RangeError(`namespace key ${id} was destroyed`);
    ids.add(id);
  }
}

/** By purpose and id, newest first; of two made in one millisecond all replicas take the same. */
function holdKeys(keys: readonly NamespaceKey[]): Record<NamespaceKey['purpose'], Map<string, KeyObject>> {
  const held = { payload: new Map<string, KeyObject>(), attribute: new Map<string, KeyObject>() };
  const newestFirst = [...keys].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
  for (const { id, purpose, key } of newestFirst) {
    held[purpose].set(id, createSecretKey(key.reveal()));
    key.destroy();
  }
  return held;
}
