import { stat } from 'node:fs/promises';
import type { Config } from '#base/config/schema';
import { systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { Directory } from '#base/store/directory';
import { openDirectory } from '#base/store/open-directory';
import { type Home, homeAt } from './home.ts';
import { type KmsKeys, openKmsKeys } from './kms-keys.ts';
import { databaseOf, kmsSpecsOf } from './platform-of-config.ts';

/** An installation, by its home or by the configuration that it is served from. */
export type KeysPlace = { readonly home: string } | { readonly config: Config };

export interface OpenKeysPlace {
  readonly directory: Directory;
  readonly kmsKeys: KmsKeys;
  /** Of the namespaces that can be handled here; undefined where the home does not say. */
  readonly region: string | undefined;
  close(): Promise<void>;
}

/**
 * Opens the directory of an installation beside the platform that may run on it: both follow the same database.
 * Makes nothing where nothing is.
 * @throws Error with the problem and the fix.
 */
export async function openKeysPlace(place: KeysPlace, log: Log): Promise<OpenKeysPlace> {
  const config = 'config' in place ? place.config : undefined;
  const home = homeAt('config' in place ? place.config.home : place.home);
  const usesFile = config === undefined || config.directory.kind === 'sqlite';
  await demandInstallation(home, usesFile);
  const kmsKeys = await openKmsKeys(
    config === undefined
      ? { platform: { kind: 'local', keyFile: home.kmsKeyFile }, previous: [], named: [] }
      : kmsSpecsOf(config, home.kmsKeyFile),
    log,
  );
  try {
    const directory = await openDirectory({
      database:
        config === undefined
          ? { kind: 'sqlite', path: home.directoryFile }
          : await databaseOf(config, home.directoryFile),
      kms: kmsKeys.platform,
      // The platform's own: what is destroyed leaves it too.
      cachePath: home.directoryCopyFile,
      clock: systemClock,
      log,
    });
    return {
      directory,
      kmsKeys,
      region: config?.region,
      async close() {
        await directory.close();
        await kmsKeys.close();
      },
    };
  } catch (error) {
    await kmsKeys.close();
    throw error;
  }
}

async function demandInstallation(home: Home, usesFile: boolean): Promise<void> {
  // The platform writes the copy at its first start, wherever its database is.
  const files = usesFile ? [home.directoryCopyFile, home.directoryFile] : [home.directoryCopyFile];
  for (const file of files) {
    const isThere = await stat(file).then(
      () => true,
      () => false,
    );
    if (isThere) continue;
    throw new Error(
      `there is no directory in ${home.root}: give the --home of \`up\`, or the --config that \`serve\` was started with, after its first start`,
    );
  }
  const { uid } = await stat(home.root);
  const own = process.getuid?.();
  if (own !== undefined && own !== uid) {
    throw new Error(`${home.root} belongs to user ${uid}: run this as that user, or its files become yours`);
  }
}
