import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { encryptedDataConverter, keysFromFile } from '../../packages/codec/src/index.ts';
import {
  generateInternalCa,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { type Canaries, createCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { keyLines } from '../codec/vectors.ts';
import { type Browser, openBrowser } from '../parts/browser.ts';
import { cleanEnv } from '../parts/clean-env.ts';
import { freePorts } from '../parts/free-ports.ts';
import { startWebUi } from '../parts/web-ui.ts';
import { startWorkerProcess } from '../parts/worker-process.ts';
import { type CanaryTenant, openCanaryTenant } from './canary-tenant.ts';
import { type HouseTarget, houseTarget } from './house-target.ts';
import { addSearchAttributes, KEYWORD, untilAttributesWork } from './search-attributes.ts';
import { startFramelessProxy } from './web-ui-frameless.ts';
import { type SignIn, startSignIn } from './web-ui-sign-in.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** One namespace, sealed by the platform, with a Worker that encrypts, and everything that a person looks at it with. */
export interface WebUiSite {
  readonly house: AttackSite['house'];
  readonly namespace: string;
  readonly canaries: Canaries;
  /** A client without a codec: what it says, the platform alone seals. */
  readonly tenant: CanaryTenant;
  /** A client with the Worker's codec. */
  readonly client: Client;
  /** Where the Worker polls that encrypts. */
  readonly taskQueue: string;
  readonly browser: Browser;
  /** The Web UI as it comes: nobody signs in, and no codec endpoint is set. */
  readonly origin: string;
  /** The same behind a proxy that forbids frames. */
  readonly framelessOrigin: string;
  /** For pages of these two, and for everybody on this machine. */
  readonly codec: CodecServer;
  /** The Web UI where people sign in and which names the codec endpoint itself. */
  readonly guarded: { readonly origin: string; readonly codec: CodecServer; readonly signIn: SignIn };
  close(): Promise<void>;
}

export interface CodecServer {
  readonly url: string;
  /** What it logged of each request. */
  readonly requests: readonly Readonly<Record<string, unknown>>[];
}

type Closers = (() => unknown)[];

export async function startWebUiSite(): Promise<WebUiSite> {
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    return { ...(await start(closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(closers: Closers): Promise<Omit<WebUiSite, 'close'>> {
  const namespace = 'default.local';
  const taskQueue = 'encrypted';
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-web-ui-site-'));
  closers.push(() => rm(folder, { recursive: true }));
  const keyFile = join(folder, 'codec.keys');
  await writeFile(keyFile, keyLines.join('\n'), { mode: 0o600 });
  const certificate = await makeCertificate(folder);
  const browser = await openBrowser([certificate.pem]);
  closers.push(() => browser.close());
  const site = await startAttackSite([], {
    encryption: { sealing: 'on', sealedAttributes: ['Customer'] },
  });
  closers.push(() => site.close());
  const target = houseTarget(site.house, namespace);
  const worker = startWorker(target, taskQueue);
  closers.push(() => worker.stop());
  const canaries = createCanaries();
  const tenant = openCanaryTenant(site, namespace, canaries);
  await addSearchAttributes(site.house, namespace, { Customer: KEYWORD });
  const client = await openEncryptingClient(target, keyFile);
  closers.push(() => client.connection.close());

  const [port = 0, framelessPort = 0, guardedPort = 0] = await freePorts(3);
  const [origin = '', framelessOrigin = '', guardedOrigin = ''] = [port, framelessPort, guardedPort].map(
    (it) => `http://localhost:${it}`,
  );
  const signIn = await startSignIn();
  closers.push(() => signIn.close());
  const guards = ['--issuer', signIn.issuer, '--audience', 'codec', ...certificate.flags];
  const pages = ['--origin', origin, '--origin', framelessOrigin];
  const [codec, guardedCodec] = await Promise.all([
    startCodecServer(['--keys', keyFile, '--allow-anonymous', ...pages], closers),
    startCodecServer(['--keys', keyFile, ...guards, '--origin', guardedOrigin], closers),
  ]);
  const uis = await Promise.all([
    startWebUi({ target, port }),
    startWebUi({
      target,
      port: guardedPort,
      codec: { endpoint: guardedCodec.url, passAccessToken: true },
      signIn,
    }),
  ]);
  closers.push(...uis.map((ui) => ui.close));
  const proxy = await startFramelessProxy(framelessPort, port);
  closers.push(() => proxy.close());
  await untilAttributesWork(tenant, { Customer: 'x' });
  await worker.line('ready');
  return {
    house: site.house,
    namespace,
    canaries,
    tenant,
    client,
    taskQueue,
    browser,
    origin,
    framelessOrigin,
    codec,
    guarded: { origin: guardedOrigin, codec: guardedCodec, signIn },
  };
}

/** Of `localhost`, for a codec server. */
async function makeCertificate(folder: string): Promise<{ readonly pem: string; readonly flags: string[] }> {
  const nowMs = Date.now();
  const validityMs = 3_600_000;
  const ca = await generateInternalCa({ commonName: 'a CA of the customer', validityMs, nowMs });
  const { certificatePem, privateKeyPem } = await generateServiceCertificate({
    ca,
    commonName: 'a codec server',
    dnsNames: ['localhost'],
    usages: ['serverAuth'],
    validityMs,
    nowMs,
  });
  const [certificateFile, keyFile] = [join(folder, 'codec.pem'), join(folder, 'codec.key')];
  await writeFile(certificateFile, certificatePem);
  await writeFile(keyFile, privateKeyPem, { mode: 0o600 });
  return { pem: certificatePem, flags: ['--tls-cert', certificateFile, '--tls-key', keyFile] };
}

/** The TypeScript program from its sources, with the one setting that makes it encrypt. */
function startWorker(target: HouseTarget, taskQueue: string) {
  const command = {
    command: process.execPath,
    args: ['--conditions=source', file('test/workers/typescript/src/main.ts')],
    env: cleanEnv({
      CODEC_KEYS: keyLines.join(';'),
      DATA_CONVERTER: file('test/codec/typescript/data-converter.ts'),
    }),
  };
  return startWorkerProcess(command, target, { mode: 'worker', taskQueue });
}

async function openEncryptingClient(
  { address, namespace, tls }: HouseTarget,
  keyFile: string,
): Promise<Client> {
  const connection = await Connection.connect({
    address,
    tls: {
      serverNameOverride: tls.serverName,
      serverRootCACertificate: readFileSync(tls.caFile),
      clientCertPair: { crt: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) },
    },
  });
  const dataConverter = await encryptedDataConverter({ keys: keysFromFile(keyFile) });
  return new Client({ connection, namespace, dataConverter });
}

async function startCodecServer(words: readonly string[], closers: Closers): Promise<CodecServer> {
  const command = ['--conditions=source', file('packages/gatehouse/src/cli/main.ts'), 'codec-server'];
  const child = spawn(process.execPath, [...command, '--port', '0', ...words], {
    env: cleanEnv({ NODE_NO_WARNINGS: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  closers.push(() => child.kill('SIGTERM'));
  const requests: Readonly<Record<string, unknown>>[] = [];
  createInterface(child.stderr).on('line', (line) => requests.push(JSON.parse(line)));
  const [ready] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'close').then(() => {
      throw new Error(`the codec server ended: ${JSON.stringify(requests)}`);
    }),
  ]);
  // Its certificate names the host, not the address.
  const url = (JSON.parse(String(ready)) as { url: string }).url.replace('127.0.0.1', 'localhost');
  return { url, requests };
}
