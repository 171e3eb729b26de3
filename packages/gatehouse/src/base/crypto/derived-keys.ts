import type { KeyObject } from 'node:crypto';
import type { Clock } from '#base/runtime/clock';
import { aadOf } from './aead.ts';
import { createBoundedMap } from './bounded-map.ts';
import { createRotation, type DataKeyLimits, deriveKey } from './data-key.ts';
import type { NonceSource } from './nonce-source.ts';
import { dataKeyNameIn, headerOf, keyIdIn, saltIn } from './sealed-box.ts';

/** The data keys of one scope. */
export interface DerivedKeys {
  /** The key that seals a message of this many bytes. `undefined` without a namespace key. */
  takeSealing(bytes: number): SealingKey | undefined;
  /** A key that is at hand, by `dataKeyNameIn` of a box. */
  find(name: string): KeyObject | undefined;
  /** `undefined` where the box names no namespace key of ours. */
  derive(box: Uint8Array): KeyObject | undefined;
  keep(name: string, key: KeyObject): void;
  forget(): void;
}

/** What seals now: a derived key, and the header that lets everybody with the namespace key derive it again. */
export interface SealingKey {
  readonly key: KeyObject;
  readonly header: Buffer;
}

export interface DerivedKeysOptions {
  readonly clock: Clock;
  readonly limits: DataKeyLimits;
  /** Derived keys that are kept: what was not used longest is forgotten, and derived again when it is met. */
  readonly openedKeysMax: number;
  readonly nonces: NonceSource;
}

/**
 * Data keys are derived, never stored: HKDF(namespace key, random salt, scope), and the salt stands in the
 * box. So replicas share no count, sealing writes nothing down, and without the namespace key all is gone.
 * @param held namespace keys by id, the one that seals first. Emptied by `forget`.
 * @param scope region, account and namespace uuid.
 */
export function createDerivedKeys(
  held: Map<string, KeyObject>,
  scope: readonly string[],
  options: DerivedKeysOptions,
): DerivedKeys {
  const info = aadOf('gatehouse data key', ...scope);
  const kept = createBoundedMap<KeyObject>(options.openedKeysMax);

  const makeSealingKey = (): SealingKey | undefined => {
    for (const [id, namespaceKey] of held) {
      const salt = options.nonces.salt();
      const made = { key: deriveKey(namespaceKey, salt, info), header: headerOf(id, salt) };
      kept.set(dataKeyNameIn(made.header), made.key);
      return made;
    }
    return undefined;
  };
  let takeSealing = createRotation(makeSealingKey, options.limits, options.clock);

  return Object.freeze({
    takeSealing: (bytes: number) => takeSealing(bytes),
    find: kept.get,
    derive(box: Uint8Array) {
      const namespaceKey = held.get(keyIdIn(box));
      return namespaceKey && deriveKey(namespaceKey, saltIn(box), info);
    },
    keep: kept.set,
    forget() {
      held.clear();
      kept.clear();
      // The rotation holds the key that sealed last.
      takeSealing = () => undefined;
    },
  });
}
