import type { Database, DatabaseOptions } from './database.ts';
import { openPostgresDatabase } from './postgres-database.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

/** Nothing is connected yet: that happens with the first query. */
export function openDatabase(options: DatabaseOptions): Database {
  return options.kind === 'sqlite' ? openSqliteDatabase(options.path) : openPostgresDatabase(options);
}
