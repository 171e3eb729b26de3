import { type Kms, KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '#base/crypto/kms';
import type { NamespaceKey, NamespaceKeyring, SealScope } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal, refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import type { Directory, DirectoryWriter, WrappedNamespaceKey } from '#base/store/directory';
import { namespaceRecord } from '#testing/namespace-record';

/** No test of its own: what the tests of namespace keys share. */

export const START_MS = Date.UTC(2026, 10, 24);
export const REGION = 'aws-local';

export interface FakeClock extends Clock {
  advance(ms: number): void;
}

export function fakeClock(): FakeClock {
  let passed = 0;
  return {
    now: () => START_MS + passed,
    monotonicMs: () => passed,
    advance(ms) {
      passed += ms;
    },
  };
}

export type KmsMode = 'well' | 'away' | 'disabled' | 'hanging';

export interface FakeKms extends Kms {
  mode: KmsMode;
  /** Words of everything that it was asked to unwrap. */
  readonly unwraps: string[];
  readonly wraps: string[];
  running: number;
  mostRunning: number;
  /** Ends what hangs. */
  release(): void;
}

/** Binds to the words as a real one does; what it wraps is the plaintext itself. */
export function fakeKms(keyId: string): FakeKms {
  let held: (() => void)[] = [];
  const meet = async (): Promise<void> => {
    kms.running += 1;
    kms.mostRunning = Math.max(kms.mostRunning, kms.running);
    try {
      if (kms.mode === 'hanging') await new Promise<void>((resolve) => held.push(resolve));
      // A KMS is never in the same turn.
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      kms.running -= 1;
    }
    if (kms.mode === 'away') throw new KmsUnavailableError('connection refused');
    if (kms.mode === 'disabled') throw new KmsKeyDisabledError('DisabledException');
  };
  const kms: FakeKms = {
    keyId,
    mode: 'well',
    unwraps: [],
    wraps: [],
    running: 0,
    mostRunning: 0,
    async wrap(plaintext, aad) {
      kms.wraps.push(aad);
      const text = JSON.stringify({ keyId, aad, bytes: plaintext.reveal().toString('hex') });
      await meet();
      return Buffer.from(text);
    },
    async unwrap(wrapped, aad) {
      kms.unwraps.push(aad);
      await meet();
      const box = JSON.parse(Buffer.from(wrapped).toString('utf8'));
      if (box.keyId !== keyId || box.aad !== aad) throw new UnwrapError();
      return new Secret(Buffer.from(box.bytes, 'hex'));
    },
    close: () => Promise.resolve(),
    release() {
      const all = held;
      held = [];
      for (const resolve of all) resolve();
    },
  };
  return kms;
}

export interface FakeKeyring extends NamespaceKeyring {
  readonly keys: readonly { readonly id: string; readonly hex: string }[];
  readonly forgotten: boolean;
}

/** Seals nothing; takes the keys over as the real one does, and tells what it was made of. */
export function createFakeKeyring(scope: SealScope, keys: readonly NamespaceKey[]): FakeKeyring {
  const no = (): never => {
    throw new Error('the fake keyring seals nothing');
  };
  let forgotten = false;
  const taken = keys.map(({ id, key }) => {
    const hex = key.reveal().toString('hex');
    if (/^0+$/.test(hex)) throw new RangeError('the key was destroyed');
    key.destroy();
    return { id, hex };
  });
  return {
    scope,
    keys: taken,
    get forgotten() {
      return forgotten;
    },
    forget() {
      forgotten = true;
    },
    canSeal: keys.some(({ purpose }) => purpose === 'payload'),
    hasKey: (keyId) => keys.some(({ id }) => id === keyId),
    sealedLength: no,
    sealInto: no,
    sealPieces: no,
    open: no,
    sealAttribute: no,
    sealAttributeAll: no,
    openAttribute: no,
  };
}

export interface FakeDirectory extends Pick<Directory, 'namespaceKeys' | 'refresh' | 'snapshot' | 'state'> {
  readonly write: Pick<
    DirectoryWriter,
    'addNamespaceKeys' | 'rewrapNamespaceKey' | 'destroyNamespaceKeys' | 'setEncryption'
  >;
  readonly records: Map<string, NamespaceRecord>;
  refreshes: number;
  put(uuid: string, rows: readonly WrappedNamespaceKey[]): void;
  /** Runs before each write: for rivals and crashes. */
  before: (write: string) => Promise<void> | void;
}

export function fakeDirectory(...records: NamespaceRecord[]): FakeDirectory {
  const tables = new Map<string, readonly WrappedNamespaceKey[]>();
  const none: readonly WrappedNamespaceKey[] = [];
  const byId = new Map(records.map((record) => [record.id, record]));
  const uuidOf = (id: string): string => {
    const record = byId.get(id);
    if (record === undefined) throw refuse('namespace_unknown');
    return record.uuid;
  };
  const rowsOf = (uuid: string): readonly WrappedNamespaceKey[] => tables.get(uuid) ?? none;
  const directory: FakeDirectory = {
    records: byId,
    refreshes: 0,
    before: () => undefined,
    namespaceKeys: rowsOf,
    refresh: async () => {
      directory.refreshes += 1;
    },
    snapshot: () => ({ revision: 1, confirmedAtMs: START_MS, namespaces: byId }),
    state: () => 'current',
    put: (uuid, rows) => tables.set(uuid, rows),
    write: {
      async addNamespaceKeys(id, keys, ifNewest) {
        await directory.before('add');
        const rows = rowsOf(uuidOf(id));
        if (rows.some(({ state }) => state === 'destroyed')) throw refuse('namespace_erased');
        const newest = rows.findLast(({ purpose }) => purpose === ifNewest?.purpose);
        if (ifNewest !== undefined && (newest?.id ?? '') !== ifNewest.keyId) throw refuse('input_invalid');
        tables.set(uuidOf(id), [...rows, ...keys]);
      },
      async rewrapNamespaceKey(keyId, oldWrapped, kmsKeyId, wrapped) {
        await directory.before('rewrap');
        for (const [uuid, rows] of tables) {
          const row = rows.find(({ id }) => id === keyId);
          if (row === undefined || row.wrapped !== oldWrapped) continue;
          tables.set(
            uuid,
            rows.map((each) => (each === row ? { ...each, kmsKeyId, wrapped } : each)),
          );
          return true;
        }
        return false;
      },
      async destroyNamespaceKeys(id) {
        const rows = rowsOf(uuidOf(id));
        tables.set(
          uuidOf(id),
          rows.map((row) => ({ ...row, wrapped: '', state: 'destroyed' })),
        );
        return rows.length;
      },
      async setEncryption(id, settings) {
        const record = byId.get(id);
        if (record === undefined) throw refuse('namespace_unknown');
        const changed = { ...record, ...settings };
        byId.set(id, changed);
        return changed;
      },
    },
  };
  return directory;
}

export function recordOf(name: string, changes: Partial<NamespaceRecord> = {}): NamespaceRecord {
  return namespaceRecord({
    id: `${name}.acme1`,
    uuid: `0190-${name}`,
    region: REGION,
    retentionDays: 30,
    engineId: 'engine',
    sealing: 'on',
    ...changes,
  });
}

export function logLines(): {
  log: ReturnType<typeof createLog>;
  lines: { level: string; message: string }[];
} {
  const lines: { level: string; message: string }[] = [];
  return { lines, log: createLog({ level: 'debug', write: (line) => lines.push(JSON.parse(line)) }) };
}

/** For `assert.rejects` and `assert.throws`. */
export function refusalOf(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code;
}

/** Lets what has been begun go on until it waits for something from outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
