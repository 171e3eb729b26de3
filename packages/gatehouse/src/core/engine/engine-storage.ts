import { join } from 'node:path';
import type { Secret } from '#base/crypto/secret';
import { EngineError } from './engine-error.ts';

/** Where the engine keeps histories and visibility. */
export type EngineStorage = SqliteStorage | PostgresStorage;

export interface SqliteStorage {
  readonly kind: 'sqlite';
}

export interface PostgresStorage {
  readonly kind: 'postgres';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  /** `temporal` unless told. */
  readonly database?: string;
  /** `temporal_visibility` unless told. */
  readonly visibilityDatabase?: string;
  /** Absent: the connection is in clear, for a database on this machine only. */
  readonly tls?: {
    readonly caFile: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly serverName?: string;
  };
}

type Plain = Readonly<Record<string, unknown>>;

/** The two data stores of the configuration file. The result holds the password in clear: write it 0600 only. */
export function buildDatastores(storage: EngineStorage, dataFolder: string): { main: Plain; vis: Plain } {
  if (storage.kind === 'sqlite') {
    const store = sqliteStore(join(dataFolder, 'temporal.db'));
    return { main: store, vis: store };
  }
  return {
    main: postgresStore(storage, storage.database ?? 'temporal'),
    vis: postgresStore(storage, storage.visibilityDatabase ?? 'temporal_visibility'),
  };
}

function sqliteStore(path: string): Plain {
  // The engine puts the name into `file:<name>?...`, where these three would end it or change it.
  if (/[?#%]/.test(path)) throw new EngineError(`the home must not have ?, # or % in its path: ${path}`);
  return {
    sql: {
      pluginName: 'sqlite',
      databaseName: path,
      connectAddr: 'localhost',
      connectProtocol: 'tcp',
      // synchronous 2 is FULL: an acknowledged start survives a kill (engine.md section 6, strace).
      connectAttributes: { cache: 'private', setup: 'true', journal_mode: 'wal', synchronous: '2' },
      maxConns: 1,
      maxIdleConns: 1,
    },
  };
}

function postgresStore(storage: PostgresStorage, databaseName: string): Plain {
  const { tls } = storage;
  assertSpeakable(storage);
  if (tls === undefined && !isLoopback(storage.host)) {
    throw new EngineError(`the engine's PostgreSQL at ${storage.host} needs TLS: set engine.storage.tls`);
  }
  return {
    sql: {
      pluginName: 'postgres12',
      databaseName,
      connectAddr: `${storage.host}:${storage.port}`,
      connectProtocol: 'tcp',
      user: storage.user,
      password: storage.password.reveal().toString('utf8'),
      maxConns: 10,
      maxIdleConns: 10,
      maxConnLifetime: '1h',
      ...(tls === undefined
        ? {}
        : {
            tls: {
              enabled: true,
              caFile: tls.caFile,
              ...(tls.certFile === undefined ? {} : { certFile: tls.certFile }),
              ...(tls.keyFile === undefined ? {} : { keyFile: tls.keyFile }),
              enableHostVerification: true,
              serverName: tls.serverName ?? storage.host,
            },
          }),
    },
  };
}

/** The engine and its tool build a URL of these: a space of the password becomes a plus, the user is not escaped. */
export function assertSpeakable(storage: PostgresStorage): void {
  if (!/^[\w.~-]+$/.test(storage.user)) {
    throw new EngineError('the engine takes PostgreSQL users of letters, digits, ., _, ~ and - only');
  }
  if (storage.password.reveal().includes(' ')) {
    throw new EngineError(
      'the engine cannot send a PostgreSQL password that has a space in it: choose another',
    );
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host.startsWith('/');
}
