import type { KeyObject } from 'node:crypto';
import type { Clock } from '#base/runtime/clock';
import { aadOf } from './aead.ts';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, openGcm, sealGcm } from './aes-gcm.ts';
import { createBoundedMap } from './bounded-map.ts';
import { createRotation, type DataKeyLimits, deriveKey } from './data-key.ts';
import type { NonceSource } from './nonce-source.ts';
import {
  createBoxAad,
  dataKeyNameIn,
  HEADER_BYTES,
  headerOf,
  isBox,
  keyIdIn,
  NONCE_END,
  saltIn,
} from './sealed-box.ts';

/** Boxes of one scope, in kinds that do not open as one another. */
export interface PayloadBoxes<K> {
  readonly canSeal: boolean;
  has(keyId: string): boolean;
  /** @throws RangeError without a key, or where the target is too small: nothing is written then. */
  seal(kind: K, plaintext: Uint8Array, target: Buffer, offset: number): number;
  open(kind: K, box: Uint8Array): Buffer | undefined;
  forget(): void;
}

export interface PayloadBoxesOptions {
  readonly clock: Clock;
  readonly limits: DataKeyLimits;
  readonly openedKeysMax: number;
  readonly nonces: NonceSource;
}

/** What seals now: a derived key, and the header that lets everybody with the namespace key derive it again. */
interface SealingKey {
  readonly key: KeyObject;
  readonly header: Buffer;
}

/**
 * Data keys are derived, never stored: HKDF(namespace key, random salt, scope), and the salt stands in the
 * box. So replicas share no count, sealing writes nothing down, and without the namespace key all is gone.
 * @param keys by id, the one that seals first.
 * @param scope region, account and namespace uuid.
 */
export function createPayloadBoxes<K extends string>(
  keys: ReadonlyMap<string, KeyObject>,
  scope: readonly string[],
  kinds: readonly K[],
  options: PayloadBoxesOptions,
): PayloadBoxes<K> {
  const { nonces } = options;
  const held = new Map(keys);
  const info = aadOf('gatehouse data key', ...scope);
  const aads = new Map<string, (header: Uint8Array) => Buffer>(
    kinds.map((kind) => [kind, createBoxAad(scope, kind)]),
  );
  const opened = createBoundedMap<KeyObject>(options.openedKeysMax);
  const nonce = Buffer.alloc(GCM_NONCE_BYTES);

  const makeSealingKey = (): SealingKey | undefined => {
    for (const [id, namespaceKey] of held) {
      const salt = nonces.salt();
      const made = { key: deriveKey(namespaceKey, salt, info), header: headerOf(id, salt) };
      opened.set(dataKeyNameIn(made.header), made.key);
      return made;
    }
    return undefined;
  };
  let takeSealingKey = createRotation(makeSealingKey, options.limits, options.clock);

  const deriveFor = (box: Uint8Array): KeyObject | undefined => {
    const namespaceKey = held.get(keyIdIn(box));
    return namespaceKey && deriveKey(namespaceKey, saltIn(box), info);
  };
  const aadOfKind = (kind: K, header: Uint8Array): Buffer => {
    const aad = aads.get(kind);
    if (aad === undefined) throw new RangeError('no such kind of box');
    return aad(header);
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
      const sealing = takeSealingKey(plaintext.length);
      if (sealing === undefined) throw new RangeError('no namespace key to seal with');
      nonces.writeNonce(nonce, plaintext);
      target.set(sealing.header, offset);
      target.set(nonce, offset + HEADER_BYTES);
      return sealGcm(sealing.key, nonce, aadOfKind(kind, sealing.header), plaintext, target, bodyStart);
    },
    open(kind: K, box: Uint8Array) {
      if (!isBox(box)) return undefined;
      const name = dataKeyNameIn(box);
      const known = opened.get(name);
      const key = known ?? deriveFor(box);
      if (key === undefined) return undefined;
      const aad = aadOfKind(kind, box.subarray(0, HEADER_BYTES));
      const plaintext = openGcm(key, box.subarray(HEADER_BYTES, NONCE_END), aad, box.subarray(NONCE_END));
      // Only salts that opened something are kept, so that made-up ones do not push out the real.
      if (known === undefined && plaintext !== undefined) opened.set(name, key);
      return plaintext;
    },
    forget() {
      held.clear();
      opened.clear();
      takeSealingKey = () => undefined;
    },
  });
}
