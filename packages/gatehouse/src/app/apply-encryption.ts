import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Directory, EncryptionSettings } from '#base/store/directory';

/**
 * Brings the encryption settings of a namespace that exists to what is wanted; what is left out stays.
 * @returns the settings that differed and were written; none where its keys could not be made.
 */
export async function changeEncryption(
  directory: Directory,
  wanted: EncryptionSettings,
  stored: NamespaceRecord,
  keys: KeyGiving,
): Promise<readonly string[]> {
  const { settings, fields } = differingEncryption(wanted, stored);
  if (fields.length === 0) return [];
  const next = { ...stored, ...settings };
  // Before the switch: between the two, a sealed namespace without keys would refuse its callers.
  if (next.sealing !== 'off' && !(await keys.give(Object.freeze(next)))) return [];
  await directory.write.setEncryption(stored.id, settings);
  return fields;
}

/** What of the wanted settings is to be written, and the words that tell of it. */
function differingEncryption(
  wanted: EncryptionSettings,
  stored: NamespaceRecord,
): { readonly settings: EncryptionSettings; readonly fields: readonly string[] } {
  const sealing = reachableSealing(wanted.sealing ?? stored.sealing, stored.sealing);
  const settings = Object.fromEntries(
    Object.entries({ ...wanted, sealing }).filter(
      ([name, value]) =>
        value !== undefined && JSON.stringify(value) !== JSON.stringify(Reflect.get(stored, name)),
    ),
  );
  const fields = Object.keys(settings).map((name) =>
    name === 'sealing' ? sayOfSealing(sealing, wanted.sealing) : name,
  );
  return { settings, fields };
}

/**
 * What a namespace that was ever unsealed has stored is plaintext: `on` would refuse to read it back. So it
 * gets `migrate` and keeps it, until its operator closes the window (`gatehouse keys seal`).
 */
function reachableSealing(
  wanted: NamespaceRecord['sealing'],
  stored: NamespaceRecord['sealing'],
): NamespaceRecord['sealing'] {
  return wanted === 'on' && stored !== 'on' ? 'migrate' : wanted;
}

function sayOfSealing(sealing: NamespaceRecord['sealing'], wanted: EncryptionSettings['sealing']): string {
  if (sealing === wanted) return `sealing ${sealing}`;
  return `sealing ${sealing} (what was stored before stays readable until \`gatehouse keys seal\`)`;
}

/** Gives namespaces their keys, and remembers for which that failed. */
export interface KeyGiving {
  /** @returns false where the namespace has no keys: see `failure`. */
  give(record: NamespaceRecord): Promise<boolean>;
  /** Ids of the namespaces that have none. */
  readonly without: ReadonlySet<string>;
  /** What was thrown first. */
  readonly failure: Error | undefined;
}

export function createKeyGiving(
  ensureKeys: ((record: NamespaceRecord) => Promise<void>) | undefined,
): KeyGiving {
  const without = new Set<string>();
  let failure: Error | undefined;
  return {
    without,
    get failure() {
      return failure;
    },
    async give(record) {
      try {
        await ensureKeys?.(record);
        return true;
      } catch (error) {
        // One customer's KMS that is away is no reason to keep another's namespace from its change.
        failure ??= error instanceof Error ? error : new Error(String(error));
        without.add(record.id);
        return false;
      }
    },
  };
}
