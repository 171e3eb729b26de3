import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import { type Serving, serve } from '../../packages/gatehouse/src/app/serve.ts';
import { loadConfig } from '../../packages/gatehouse/src/base/config/load-config.ts';
import {
  generateCa,
  generateInternalCa,
  generateLeaf,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import { createLog } from '../../packages/gatehouse/src/base/runtime/log.ts';
import { readAuditEvents } from '../../packages/gatehouse/src/testing/audit-events.ts';

const DAY_MS = 86_400_000;
export const DOMAIN = 'gatehouse.example.com';

interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** What an operator prepares for `gatehouse serve`: a folder with a configuration and certificates. */
export interface Site {
  readonly folder: string;
  readonly home: string;
  readonly configFile: string;
  /** Writes the configuration: what every one has, then these lines. */
  configure(options: SiteConfig): void;
  /** A new server certificate, not yet in place. */
  issueServer(validityMs?: number): Promise<Pair>;
  putServer(pair: Pair): void;
  /** A CA of this name, made on first use, in `<name>-ca.pem`, with a client certificate of it in `<name>.pem`. */
  makeCa(name: string, commonName?: string): Promise<string>;
  /** For the clients of the tests. */
  endpoint(grpc: string, clients: Readonly<Record<string, string>>): EndpointFile;
  close(): void;
}

export interface SiteConfig {
  readonly grpc?: string;
  readonly drainSeconds?: number;
  /** One unless told. */
  readonly processes?: number;
  /** YAML of each namespace, without the dash. */
  readonly namespaces: readonly string[];
  /** More lines at the top level. */
  readonly more?: string;
}

export async function makeSite(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-site-'));
  const nowMs = Date.now();
  const serverCa = await generateInternalCa({ commonName: 'site CA', validityMs: 30 * DAY_MS, nowMs });
  writeFileSync(join(folder, 'server-ca.pem'), serverCa.certificatePem);
  const site: Site = {
    folder,
    home: join(folder, 'home'),
    configFile: join(folder, 'gatehouse.yaml'),
    configure({ grpc = '127.0.0.1:0', drainSeconds = 5, processes = 1, namespaces, more = '' }) {
      writeFileSync(
        site.configFile,
        `home: home
domain: ${DOMAIN}
region: aws-test
gateway:
  grpc: { address: '${grpc}' }
  certificateFile: server.pem
  keyFile: server.key
  drainSeconds: ${drainSeconds}
  processes: ${processes}
log: { level: debug }
namespaces:${namespaces.length === 0 ? ' []' : namespaces.map((text) => `\n  - ${text}`).join('')}
${more}
`,
      );
    },
    issueServer: (validityMs = 30 * DAY_MS) =>
      generateServiceCertificate({
        ca: serverCa,
        commonName: DOMAIN,
        dnsNames: [`*.acme1.${DOMAIN}`],
        usages: ['serverAuth'],
        validityMs,
        nowMs,
      }),
    putServer(pair) {
      writeFileSync(join(folder, 'server.key'), pair.privateKeyPem, { mode: 0o600 });
      writeFileSync(join(folder, 'server.pem'), pair.certificatePem);
    },
    async makeCa(name, commonName = `client.${name}`) {
      const caFile = join(folder, `${name}-ca.pem`);
      const ca = await generateCa({ organization: name, validityMs: 30 * DAY_MS, nowMs });
      writeFileSync(caFile, ca.certificatePem);
      const leaf = await generateLeaf({
        caPem: ca.certificatePem,
        caKeyPem: ca.privateKeyPem,
        organization: name,
        commonName,
        nowMs,
      });
      writeFileSync(join(folder, `${name}.pem`), leaf.certificatePem);
      writeFileSync(join(folder, `${name}.key`), leaf.privateKeyPem, { mode: 0o600 });
      return readFileSync(caFile, 'utf8');
    },
    endpoint: (grpc, clients) => ({
      account: 'local',
      domain: DOMAIN,
      region: 'aws-test',
      serverCa: join(folder, 'server-ca.pem'),
      grpc,
      https: null,
      control: null,
      console: null,
      metrics: null,
      apiKeyFile: null,
      namespaces: Object.entries(clients).map(([id, name]) => ({
        id,
        host: `${id}.${DOMAIN}`,
        clientCert: join(folder, `${name}.pem`),
        clientKey: join(folder, `${name}.key`),
      })),
    }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  mkdirSync(site.home, { mode: 0o700 });
  site.putServer(await site.issueServer());
  return site;
}

export interface Served {
  readonly serving: Serving;
  readonly grpc: string;
  readonly logLines: readonly string[];
  /** Records of the audit chain, oldest first. */
  events(): Promise<readonly Readonly<Record<string, string | number>>[]>;
}

/** Serves a site inside the test's process. */
export async function serveSite(site: Site): Promise<Served> {
  const logLines: string[] = [];
  const load = () => loadConfig(site.configFile, process.env);
  const serving = await serve({
    configFile: site.configFile,
    load,
    config: load(),
    log: createLog({ level: 'debug', write: (line) => logLines.push(line) }),
    path: process.env['PATH'] ?? '',
    step: (_title, work) => work(() => undefined),
  });
  const { host, port } = serving.platform.gateway.grpc;
  return {
    serving,
    grpc: `${host}:${port}`,
    logLines,
    async events() {
      await serving.platform.audit.flush();
      return await readAuditEvents(site.home);
    },
  };
}
