import { Secret } from '../packages/gatehouse/src/base/crypto/secret.ts';
import { prepareEnginePostgres } from '../packages/gatehouse/src/core/engine/engine-postgres.ts';
import type { EngineStorage } from '../packages/gatehouse/src/core/engine/engine-storage.ts';
import { PINNED_ENGINE_VERSION } from '../packages/gatehouse/src/core/engine/find-engine.ts';
import { findSqlTool } from '../packages/gatehouse/src/core/engine/find-sql-tool.ts';
import { startEmbeddedPostgres } from '../packages/gatehouse/src/testing/embedded-postgres.ts';
import { ENGINE_CACHE } from './real-engine.ts';

export type StorageName = 'SQLite' | 'PostgreSQL';

/** What a real engine of the bench keeps its histories in. */
export interface StartedStorage {
  readonly storage: EngineStorage;
  stop(): Promise<void>;
}

/** PostgreSQL is one of its own, without `fsync`: its CPU and its disk are not what is measured. */
export async function startStorage(name: StorageName): Promise<StartedStorage> {
  if (name === 'SQLite') return { storage: { kind: 'sqlite' }, stop: async () => undefined };
  const server = await startEmbeddedPostgres({ tcp: true });
  try {
    const { host, port, user, password } = server.connection('postgres');
    const secret = new Secret(Buffer.from(password));
    const storage = { kind: 'postgres', host, port, user, password: secret } as const;
    const tool = await findSqlTool({
      version: PINNED_ENGINE_VERSION,
      cacheFolder: ENGINE_CACHE,
      path: process.env['PATH'] ?? '',
      progress: () => undefined,
      goEnvironment: process.env,
    });
    await prepareEnginePostgres(tool, storage);
    return { storage, stop: server.close };
  } catch (error) {
    await server.close();
    throw error;
  }
}
