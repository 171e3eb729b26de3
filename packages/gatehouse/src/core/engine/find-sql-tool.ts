import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { buildGoCommand } from './build-engine.ts';
import { digestFile, recordedDigest, verifyBinary } from './engine-digest.ts';
import { EngineError } from './engine-error.ts';
import { type FindEngineOptions, findOnPath } from './find-engine.ts';

/**
 * The engine's schema tool, needed only where PostgreSQL is configured: `temporal-sql-tool` on PATH, then in
 * the cache, then built by `go install` of the same version as the engine.
 * @returns its path, with its digest verified.
 */
export async function findSqlTool(options: Omit<FindEngineOptions, 'configuredBinary'>): Promise<string> {
  const onPath = await findOnPath('temporal-sql-tool', options.path);
  if (onPath !== undefined) return onPath;
  const folder = join(options.cacheFolder, 'engine', `${options.version}-sql`);
  const cached = join(folder, 'temporal-sql-tool');
  const exists = await access(cached, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!exists) {
    const go = await findOnPath('go', options.path);
    if (go === undefined) {
      throw new EngineError(
        `PostgreSQL needs the engine's schema tool: put temporal-sql-tool ${options.version} on PATH, or install Go`,
      );
    }
    await buildGoCommand({
      go,
      packagePath: 'go.temporal.io/server/cmd/tools/sql',
      version: options.version,
      goBinary: 'sql',
      binary: 'temporal-sql-tool',
      folder,
      title: `the schema tool of Temporal Server ${options.version}`,
      path: options.path,
      progress: options.progress,
      ...(options.goEnvironment === undefined ? {} : { environment: options.goEnvironment }),
    });
  }
  await verifyBinary(cached, (await recordedDigest(cached)) ?? (await digestFile(cached)));
  return cached;
}
