import type { Kysely, Transaction } from 'kysely';
import type { Secret } from '#base/crypto/secret';
import type { DirectorySchema } from './schema.ts';

/** Where the directory is kept. */
export type DatabaseOptions =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: Secret }
  | { readonly kind: 'postgres'; readonly connection: PostgresConnection };

export interface PostgresConnection {
  /** A name, an address, or the folder of a Unix socket. A direct address: a pooler breaks LISTEN. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: Secret;
  /** TLS 1.3 to the server; its certificate is always checked, for `serverName` or the host. Absent: no TLS. */
  readonly ssl?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: Secret;
    readonly serverName?: string;
  };
}

/** What the two databases do differently; everything else is the same queries through `db`. */
export interface Database {
  readonly db: Kysely<DirectorySchema>;
  /** Makes the connection possible. @param mayCreate a database file that is missing is made. */
  prepare(mayCreate: boolean): Promise<void>;
  lockForMigration(transaction: Transaction<DirectorySchema>): Promise<void>;
  /** The last step inside a write: tells the others once it is committed. */
  notify(transaction: Transaction<DirectorySchema>): Promise<void>;
  /** A cheap question: may others have committed since the last one? Throws where the database is away. */
  hasChanged(): Promise<boolean>;
  /** Calls `hint` when others committed, and when word of that may have been lost. Returns the end of it. */
  watch(hint: (lost: boolean) => void): () => void;
  isDuplicate(error: unknown): boolean;
  /**
   * Takes what was overwritten or deleted out of the database's files, as far as it lets us.
   * @throws Error where others kept it from that: ask again.
   */
  purge(): Promise<void>;
  close(): Promise<void>;
}
