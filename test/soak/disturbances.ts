import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { startGatehouse, until } from '../e2e/gatehouse-process.ts';
import type { Fleet } from './fleet.ts';
import { HOST, NAMESPACE, type SoakSite } from './soak-site.ts';
import type { SteadyClient } from './steady-client.ts';

/** Something that is done to the platform under load. */
export interface Disturbance {
  readonly name: string;
  /** Does it and waits until it is over. @returns what happened, in words. */
  run(): Promise<string>;
}

export interface Stage {
  readonly soak: SoakSite;
  readonly fleet: Fleet;
  readonly client: SteadyClient;
  /** The CA whose certificates clients use now. */
  ca: string;
  cycle: number;
  /** Days of retention in the configuration: each change gets another number. */
  retentionDays: number;
}

const RECOVERY_MS = 30_000;
const LOCKED_MS = 5000;

/** Every fault of issue "A soak" once. The first two start the gateway anew, so the rest runs on one process. */
export function disturbancesOf(stage: Stage): readonly Disturbance[] {
  const { soak } = stage;
  return [
    { name: 'SIGTERM', run: async () => `ready again after ${await soak.restart('SIGTERM')} ms` },
    { name: 'SIGKILL', run: async () => `ready again after ${await soak.restart('SIGKILL')} ms` },
    { name: 'engine killed', run: () => killEngine(stage) },
    { name: 'server certificate', run: () => changeServerCertificate(stage) },
    { name: 'CA gained, clients changed, CA lost', run: () => changeClientCertificates(stage) },
    { name: 'namespace key', run: () => rotateNamespaceKey(stage) },
    { name: 'directory locked', run: () => lockDirectory(stage) },
  ];
}

async function answers(client: SteadyClient): Promise<boolean> {
  return (await client.call('CountWorkflowExecutions', {}, 3000)).status === 0;
}

async function killEngine({ soak, client }: Stage): Promise<string> {
  const pid = soak.enginePid();
  if (pid === undefined) throw new Error('no engine runs');
  const before = performance.now();
  process.kill(pid, 'SIGKILL');
  await until('another engine runs', () => ![pid, undefined].includes(soak.enginePid()), RECOVERY_MS);
  await until('calls are answered', () => answers(client), RECOVERY_MS);
  return `answers again after ${Math.round(performance.now() - before)} ms`;
}

async function changeServerCertificate({ soak }: Stage): Promise<string> {
  const next = await soak.site.issueServer();
  soak.site.putServer(next);
  const wanted = digestOf(new X509Certificate(next.certificatePem).raw);
  await until('the new certificate is shown', async () => (await shownBy(soak)) === wanted, RECOVERY_MS);
  return 'new connections see the new one';
}

/** SHA-256 of the certificate that a stranger is shown. */
async function shownBy(soak: SoakSite): Promise<string> {
  const [host = '', port] = soak.endpoint('first').grpc.split(':');
  return await new Promise((resolve, reject) => {
    const ca = readFileSync(join(soak.site.folder, 'server-ca.pem'));
    const socket = connect({ host, port: Number(port), servername: HOST, ca, ALPNProtocols: ['h2'] }, () => {
      resolve(digestOf(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function changeClientCertificates(stage: Stage): Promise<string> {
  const { soak, fleet, client } = stage;
  const [old, next] = [stage.ca, `ca-${stage.cycle}`];
  await reconfigure(stage, [old, next]);
  stage.ca = next;
  client.use(soak.endpoint(next));
  await fleet.roll(soak.target(next));
  await reconfigure(stage, [next]);
  return 'four Workers and the starter moved to certificates of another CA';
}

/** Each configuration carries another number of days, by which the engine shows that it is in force. */
async function reconfigure(stage: Stage, cas: readonly string[]): Promise<void> {
  stage.retentionDays += 1;
  await stage.soak.configure(cas, stage.retentionDays);
  await until(
    'the configuration is in force',
    async () => (await retentionOf(stage)) === stage.retentionDays,
    RECOVERY_MS,
  );
}

async function retentionOf({ client }: Stage): Promise<number> {
  const { status, body } = await client.call('DescribeNamespace', {}, 3000);
  if (status !== 0) return 0;
  const { config } = decode('workflowservice.v1.DescribeNamespaceResponse', body);
  return Number(config.workflowExecutionRetentionTtl.seconds) / 86_400;
}

async function rotateNamespaceKey({ soak }: Stage): Promise<string> {
  const { ended, stdout, stderr } = startGatehouse([
    ...['keys', 'rotate', '--config', soak.site.configFile],
    ...['--namespace', NAMESPACE, '--output', 'json'],
  ]);
  if ((await ended) !== 0) throw new Error(`keys rotate: ${stderr()}`);
  return stdout().trim();
}

/** Another process holds the database: nothing can be written, and a change waits for it. */
async function lockDirectory(stage: Stage): Promise<string> {
  const database = new DatabaseSync(join(stage.soak.site.home, 'directory', 'directory.db'));
  database.exec('begin exclusive');
  const reloads = (): number => stage.soak.logged('the configuration was read again');
  const before = reloads();
  await reconfigure(stage, [stage.ca]);
  await wait(LOCKED_MS);
  // The engine may have it already; the directory cannot.
  if (reloads() !== before) throw new Error('a change passed the lock');
  database.exec('commit');
  database.close();
  await until('the change is in force', () => reloads() > before, RECOVERY_MS);
  return `held for ${LOCKED_MS} ms; a change of the configuration came in force afterwards`;
}
