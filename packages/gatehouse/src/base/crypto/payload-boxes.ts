import type { KeyObject } from 'node:crypto';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, openGcm, sealGcm, sealGcmPieces } from './aes-gcm.ts';
import { createDerivedKeys, type DerivedKeysOptions, type SealingKey } from './derived-keys.ts';
import { createBoxAad, dataKeyNameIn, HEADER_BYTES, isBox, NONCE_END } from './sealed-box.ts';

/** Boxes of one scope, in kinds that do not open as one another. */
export interface PayloadBoxes<K> {
  readonly canSeal: boolean;
  has(keyId: string): boolean;
  /** @throws RangeError without a key, or where the target is too small: nothing is written then. */
  seal(kind: K, plaintext: Uint8Array, target: Buffer, offset: number): number;
  /** The box in pieces, for a large plaintext. @throws RangeError without a key. */
  sealPieces(kind: K, plaintext: Uint8Array): Buffer[];
  open(kind: K, box: Uint8Array): Buffer | undefined;
  forget(): void;
}

/**
 * @param namespaceKeys by id, the one that seals first.
 * @param scope region, account and namespace uuid.
 */
export function createPayloadBoxes<K extends string>(
  namespaceKeys: ReadonlyMap<string, KeyObject>,
  scope: readonly string[],
  kinds: readonly K[],
  options: DerivedKeysOptions,
): PayloadBoxes<K> {
  const held = new Map(namespaceKeys);
  const keys = createDerivedKeys(held, scope, options);
  const aadOfKind = createKindAads(scope, kinds);
  const nonce = Buffer.alloc(GCM_NONCE_BYTES);

  /** The key that seals now, and a nonce for this plaintext under it. */
  const begin = (plaintext: Uint8Array): SealingKey => {
    const sealing = keys.takeSealing(plaintext.length);
    if (sealing === undefined) throw new RangeError('no namespace key to seal with');
    options.nonces.writeNonce(nonce, plaintext);
    return sealing;
  };

  return Object.freeze({
    get canSeal() {
      return held.size > 0;
    },
    has: (keyId: string) => held.has(keyId),
    seal(kind: K, plaintext: Uint8Array, target: Buffer, offset: number) {
      const bodyStart = offset + NONCE_END;
      // Before the count and the header: what cannot be sealed leaves no trace.
      if (!(offset >= 0 && bodyStart + plaintext.length + GCM_TAG_BYTES <= target.length)) {
        throw new RangeError('the target is too small for the box');
      }
      const { key, header } = begin(plaintext);
      target.set(header, offset);
      target.set(nonce, offset + HEADER_BYTES);
      return sealGcm(key, nonce, aadOfKind(kind, header), plaintext, target, bodyStart);
    },
    sealPieces(kind: K, plaintext: Uint8Array) {
      const { key, header } = begin(plaintext);
      const head = Buffer.concat([header, nonce]);
      return [head, ...sealGcmPieces(key, nonce, aadOfKind(kind, header), plaintext)];
    },
    open(kind: K, box: Uint8Array) {
      if (!isBox(box)) return undefined;
      const name = dataKeyNameIn(box);
      const known = keys.find(name);
      const key = known ?? keys.derive(box);
      if (key === undefined) return undefined;
      const aad = aadOfKind(kind, box.subarray(0, HEADER_BYTES));
      const plaintext = openGcm(key, box.subarray(HEADER_BYTES, NONCE_END), aad, box.subarray(NONCE_END));
      // Only salts that opened something are kept, so that made-up ones do not push out the real.
      if (known === undefined && plaintext !== undefined) keys.keep(name, key);
      return plaintext;
    },
    forget: keys.forget,
  });
}

/** The words of each kind are laid out once; per box only its header is written behind them. */
function createKindAads<K extends string>(
  scope: readonly string[],
  kinds: readonly K[],
): (kind: K, header: Uint8Array) => Buffer {
  const aads = new Map(kinds.map((kind) => [kind, createBoxAad(scope, kind)]));
  return (kind, header) => {
    const aad = aads.get(kind);
    if (aad === undefined) throw new RangeError('no such kind of box');
    return aad(header);
  };
}
