import { dirname } from 'node:path';
import { homeAt } from '../packages/gatehouse/src/app/home.ts';
import { openLocalKms } from '../packages/gatehouse/src/base/crypto/local-kms.ts';
import { systemClock } from '../packages/gatehouse/src/base/runtime/clock.ts';
import { silentLog } from '../packages/gatehouse/src/base/runtime/log.ts';
import { makePrivateFolder } from '../packages/gatehouse/src/base/runtime/safe-file.ts';
import { openDatabase } from '../packages/gatehouse/src/base/store/database/open-database.ts';
import type { DirectorySchema } from '../packages/gatehouse/src/base/store/database/schema.ts';
import { openDirectory } from '../packages/gatehouse/src/base/store/open-directory.ts';

const ACCOUNT = 'local';
const MODEL = `other-0.${ACCOUNT}`;

/** SQLite takes some 32,000 values in one statement; a namespace has 21. */
const ROWS_AT_ONCE = 1_000;

/**
 * Puts `count` namespaces, besides the measured one, into the directory of a new home. The first is made by the
 * directory itself; the others are its row again under other names, in one transaction: the directory's own
 * writer would take a minute for 10,000.
 */
export async function fillDirectory(root: string, count: number): Promise<void> {
  const home = homeAt(root);
  await makePrivateFolder(home.root);
  await makePrivateFolder(dirname(home.kmsKeyFile));
  await makePrivateFolder(dirname(home.directoryFile));
  const database = { kind: 'sqlite', path: home.directoryFile } as const;
  const directory = await openDirectory({
    database,
    kms: await openLocalKms(home.kmsKeyFile),
    cachePath: home.directoryCopyFile,
    clock: systemClock,
    log: silentLog,
  });
  await directory.write.createAccount(ACCOUNT);
  const engineId = engineIdOf(0);
  // Sealing is off, as it is for the measured one: a sealed namespace would get its keys at the start.
  await directory.write.createNamespace({
    id: MODEL,
    region: 'aws-local',
    retentionDays: 30,
    engineId,
    sealing: 'off',
  });
  await directory.close();
  await copyModel(openDatabase(database), count);
}

async function copyModel(database: ReturnType<typeof openDatabase>, count: number): Promise<void> {
  try {
    await database.prepare(false);
    await database.db.transaction().execute(async (transaction) => {
      const { revision } = await transaction
        .updateTable('directory_state')
        .set((column) => ({ revision: column('revision', '+', 1) }))
        .returning('revision')
        .executeTakeFirstOrThrow();
      const model = await transaction
        .selectFrom('namespaces')
        .selectAll()
        .where('id', '=', MODEL)
        .executeTakeFirstOrThrow();
      for (let first = 1; first < count; first += ROWS_AT_ONCE) {
        const rows = Array.from({ length: Math.min(ROWS_AT_ONCE, count - first) }, (_, offset) =>
          copyOf({ ...model, revision }, first + offset),
        );
        await transaction.insertInto('namespaces').values(rows).execute();
      }
    });
  } finally {
    await database.close();
  }
}

function copyOf(model: DirectorySchema['namespaces'], number: number): DirectorySchema['namespaces'] {
  const tail = String(number).padStart(12, '0');
  return {
    ...model,
    id: `other-${number}.${ACCOUNT}`,
    uuid: `${model.uuid.slice(0, -12)}${tail}`,
    engine_id: engineIdOf(number),
  };
}

function engineIdOf(number: number): string {
  return `0190f7a2-0000-7000-8000-${String(number).padStart(12, '0')}`;
}
