import { spawn } from 'node:child_process';
import { EngineError } from './engine-error.ts';
import { assertSpeakable, type PostgresStorage } from './engine-storage.ts';

/**
 * Brings both databases to the schema that the engine expects, with its own tool: made when missing, upgraded
 * when older, untouched when current. The engine refuses to start on an older one.
 * @param tool path of the sql tool (find-sql-tool.ts).
 * @throws EngineError with the tool's last lines, which never hold the password.
 */
export async function prepareEnginePostgres(tool: string, storage: PostgresStorage): Promise<void> {
  assertSpeakable(storage);
  for (const [database, schema] of [
    [storage.database ?? 'temporal', 'postgresql/v12/temporal'],
    [storage.visibilityDatabase ?? 'temporal_visibility', 'postgresql/v12/visibility'],
  ] as const) {
    const run = (...args: string[]): Promise<ToolResult> =>
      runTool(tool, storage, ['--db', database, ...args]);
    // Updating needs nothing but a database with a version table: it succeeds on all but the first start.
    if ((await run('update-schema', '--schema-name', schema)).ok) continue;
    await run('create-database');
    await require(run('setup-schema', '-v', '0.0'), database);
    await require(run('update-schema', '--schema-name', schema), database);
  }
}

interface ToolResult {
  readonly ok: boolean;
  readonly tail: string;
}

async function require(result: Promise<ToolResult>, database: string): Promise<void> {
  const { ok, tail } = await result;
  if (ok) return;
  const reason = [...tail.matchAll(/"error": "([^"]*)"/g)].at(-1)?.[1] ?? tail;
  throw new EngineError(
    `the schema of PostgreSQL database ${database} could not be prepared (${reason}): check host, user and ` +
      'password, and that the user may create databases or owns this one',
  );
}

function runTool(tool: string, storage: PostgresStorage, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { env: toolEnvironment(storage), stdio: ['ignore', 'pipe', 'pipe'] });
    let tail = '';
    const keep = (chunk: Buffer): void => {
      tail = (tail + chunk.toString('utf8')).slice(-1000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => reject(new EngineError(`${tool} cannot be run`, { cause: error })));
    child.on('close', (code) => resolve({ ok: code === 0, tail: tail.trim() }));
  });
}

/** By environment, not by arguments: those stand in the process list. */
function toolEnvironment(storage: PostgresStorage): NodeJS.ProcessEnv {
  const { tls } = storage;
  return {
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: storage.host,
    SQL_PORT: String(storage.port),
    SQL_USER: storage.user,
    SQL_PASSWORD: storage.password.reveal().toString('utf8'),
    ...(tls === undefined
      ? {}
      : {
          SQL_TLS: 'true',
          SQL_TLS_CA_FILE: tls.caFile,
          SQL_TLS_SERVER_NAME: tls.serverName ?? storage.host,
          ...(tls.certFile === undefined ? {} : { SQL_TLS_CERT_FILE: tls.certFile }),
          ...(tls.keyFile === undefined ? {} : { SQL_TLS_KEY_FILE: tls.keyFile }),
        }),
  };
}
