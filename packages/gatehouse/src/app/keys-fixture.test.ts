import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import type { AdminWord, Directory, NewNamespace } from '#base/store/directory';
import { openDirectory } from '#base/store/open-directory';
import { ensureNamespaceKeys } from '#core/sealing/make-namespace-keys';
import { homeAt } from './home.ts';

/** No test of its own: a home with a directory that a platform holds open, as far as `gatehouse keys` sees it. */
export interface KeysHome {
  readonly root: string;
  readonly keyFile: string;
  /** The platform's. */
  readonly directory: Directory;
  /** The words that were left for it so far. */
  words(): Promise<readonly AdminWord[]>;
}

/** `orders` is sealed, `bills` is being migrated, `open` is not sealed and has no key. */
export async function openKeysHome(t: TestContext): Promise<KeysHome> {
  const root = await mkdtemp(join(tmpdir(), 'gatehouse-keys-'));
  const home = homeAt(root);
  await makePrivateFolder(dirname(home.kmsKeyFile));
  await makePrivateFolder(dirname(home.directoryFile));
  const kms = await openLocalKms(home.kmsKeyFile);
  const directory = await openDirectory({
    database: { kind: 'sqlite', path: home.directoryFile },
    kms,
    cachePath: home.directoryCopyFile,
    clock: systemClock,
    log: silentLog,
  });
  t.after(async () => {
    await directory.close();
    await rm(root, { recursive: true, force: true });
  });
  const region = 'aws-local';
  await directory.write.createAccount('acme1');
  const namespaces: NewNamespace[] = [
    { id: 'orders.acme1', region, retentionDays: 1 },
    { id: 'bills.acme1', region, retentionDays: 1, sealing: 'migrate' },
    { id: 'open.acme1', region, retentionDays: 1, sealing: 'off' },
  ];
  for (const namespace of namespaces) {
    const record = await directory.write.createNamespace(namespace);
    if (record.sealing !== 'off') await ensureNamespaceKeys({ directory, kms, clock: systemClock }, record);
  }
  return {
    root,
    keyFile: home.kmsKeyFile,
    directory,
    async words() {
      const heard: AdminWord[] = [];
      await directory.words.take(async (word) => {
        heard.push(word);
      });
      return heard;
    },
  };
}
