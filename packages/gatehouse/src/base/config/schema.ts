import { z } from 'zod';
import { isAccountId, isNamespaceName } from '#base/model/namespace-id';
import { encryption, namespaceEncryption } from './encryption-schema.ts';
import { limits, namespaceLimits } from './limits-schema.ts';
import { file, secret } from './schema-parts.ts';

const HOST_PORT = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** `host:port` as text, parsed. */
const address = z
  .string()
  .regex(HOST_PORT, 'must be host:port, such as 127.0.0.1:7233')
  .transform((text) => {
    const match = HOST_PORT.exec(text);
    return { host: match?.[1] ?? match?.[2] ?? '', port: Number(match?.[3]) };
  })
  .refine(({ port }) => port <= 65_535, 'the port must be at most 65535');

const certificateFilter = z
  .strictObject({
    commonName: z.string().optional().describe('Must equal the CN of the certificate.'),
    organization: z.string().optional().describe('Must equal its O.'),
    organizationalUnit: z.string().optional().describe('Must equal its OU.'),
    subjectAlternativeName: z.string().optional().describe('Must equal one of its DNS names.'),
  })
  .describe('All that is given must match; `*` stands for any text at its beginning or end.');

const namespaceId = z.string().refine((id) => {
  const dot = id.indexOf('.');
  return dot > 0 && isNamespaceName(id.slice(0, dot)) && isAccountId(id.slice(dot + 1));
}, 'must be <namespace>.<account>, such as orders.acme1');

const namespace = z
  .strictObject({
    id: namespaceId.describe('Public id, `<namespace>.<account>`; also its name in the engine.'),
    caFile: file.describe('PEM file of the CA certificates that its clients must chain to.'),
    certificateFilters: z
      .array(certificateFilter)
      .max(25)
      .default([])
      .describe('Which certificates of the CAs pass; none: all.'),
    retentionDays: z
      .int()
      .min(1)
      .max(90)
      .default(30)
      .describe('How long closed workflows are kept, in days.'),
    allowTls12: z
      .boolean()
      .default(false)
      .describe('TLS 1.2 is accepted from its clients too. Needs `gateway.allowTls12`.'),
    nexusEndpoints: z.array(z.string()).default([]).describe('Nexus endpoints that its workflows may call.'),
    audit: z
      .enum(['relaxed', 'strict'])
      .default('relaxed')
      .describe('strict: the record is on disk before the answer.'),
    encryption: namespaceEncryption,
    limits: namespaceLimits,
  })
  .describe('A namespace: made if it does not exist, changed to what is written here if it does.');

const postgresTls = z.strictObject({
  caFile: file.describe('PEM of the CA that signed the server certificate.'),
  certificateFile: file.optional().describe('PEM of a client certificate, where the server asks for one.'),
  keyFile: file.optional().describe('PEM of its key, readable by this user only.'),
  serverName: z.string().optional().describe('Name in the server certificate, where it is not the host.'),
});

const postgres = z.strictObject({
  kind: z.literal('postgres').describe('PostgreSQL 12 or newer.'),
  host: z.string().min(1).describe('Host name or address, or the folder of a Unix socket.'),
  port: z.int().min(1).max(65_535).default(5432).describe('TCP port.'),
  user: z.string().min(1).describe('User of the database.'),
  password: secret.describe('A secret: `${env:NAME}` or `file:PATH`.'),
  database: z.string().min(1).optional().describe('Name of the database.'),
  tls: postgresTls
    .optional()
    .describe('TLS to the server, always verified. May be absent for a database on this machine only.'),
});

const sqlite = z.strictObject({ kind: z.literal('sqlite').describe('A file in the home.') });

const directory = z
  .discriminatedUnion('kind', [sqlite, postgres])
  .default({ kind: 'sqlite' })
  .describe('Where accounts, namespaces, CA bundles and keys are kept.');

const engineStorage = z
  .discriminatedUnion('kind', [
    sqlite,
    postgres.extend({
      visibilityDatabase: z.string().min(1).optional().describe('Name of the visibility database.'),
    }),
  ])
  .default({ kind: 'sqlite' })
  .describe('Where an engine of our own keeps workflows. Not with `address`.');

const nexusEndpoint = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$/, 'must be letters, digits and hyphens, at least two')
      .describe('Its name, the same on the whole platform.'),
    namespace: namespaceId.describe('Whose Workers handle the operations.'),
    taskQueue: z.string().min(1).describe('The task queue that they poll.'),
  })
  .describe('A Nexus endpoint: made at the start, or changed to what is written here.');

const engine = z
  .strictObject({
    address: address
      .optional()
      .describe('An existing Temporal cluster. Absent: an engine is found and run here.'),
    serverName: z
      .string()
      .min(1)
      .default('engine-frontend')
      .describe('Name in the certificate of its frontend.'),
    caFile: file.optional().describe('PEM of the CA of that certificate. Needed with `address`.'),
    certificateFile: file
      .optional()
      .describe('PEM that the gateway shows the engine. Needed with `address`.'),
    keyFile: file.optional().describe('PEM of its key, readable by this user only. Needed with `address`.'),
    jwks: address
      .optional()
      .describe('Where the engine reads our token keys: its `keySourceURIs` name it. Needed with `address`.'),
    binary: file
      .optional()
      .describe(
        'A temporal-server binary to use instead of one on PATH or in the cache. Not with `address`.',
      ),
    storage: engineStorage,
    historyShards: z.int().min(1).max(16_384).default(4).describe('Fixed for the life of the data.'),
    nexus: z
      .strictObject({
        enabled: z.boolean().default(false).describe('Nexus calls are allowed.'),
        endpoints: z
          .array(nexusEndpoint)
          .default([])
          .describe('Endpoints to make. Callers need them in `nexusEndpoints` of their namespace.'),
      })
      .prefault({})
      .describe('Nexus needs a port of the engine that bypasses its authorizer for the gateway certificate.'),
    acceptedAdvisories: z
      .array(z.string())
      .default([])
      .describe(
        'Advisories of a configured engine that the operator accepts, by number; recorded at each start.',
      ),
  })
  .prefault({})
  .describe('The Temporal Server behind the gateway.');

const gateway = z
  .strictObject({
    grpc: z
      .strictObject({ address: address.describe('Address to listen on, such as 0.0.0.0:7233.') })
      .describe('The gRPC endpoint of every namespace.'),
    https: z
      .strictObject({ address: address.describe('Address to listen on, such as 0.0.0.0:7243.') })
      .optional()
      .describe('The HTTPS API of every namespace. Absent: closed.'),
    certificateFile: file.describe(
      'PEM of the server certificate with its chain, read again when it changes.',
    ),
    keyFile: file.describe('PEM of its key, readable by this user only.'),
    allowTls12: z.boolean().default(false).describe('Namespaces may allow TLS 1.2. Off: TLS 1.3 only.'),
    processes: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'How many processes serve the doors: one for each core that they may use. SIGUSR2 restarts them.',
      ),
    drainSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(75)
      .describe('How long running calls may take to finish at a stop; a long poll takes 70 s at most.'),
  })
  .describe('The doors of the data plane.');

/** The whole configuration of `gatehouse serve`. Unknown keys are faults; see cross-checks.ts for the rest. */
export const configSchema = z.strictObject({
  home: z.string().min(1).describe('Folder of keys, audit chain, local copies. Made with mode 0700.'),
  account: z
    .string()
    .refine(isAccountId, 'must be at least 5 of a-z and 0-9')
    .default('local')
    .describe('Account of this platform itself.'),
  domain: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'must be a DNS name in lower case, such as gatehouse.example.com')
    .describe('Namespaces are reached as `<namespace>.<account>.<domain>`.'),
  region: z
    .string()
    .regex(/^[a-z]+-[a-z0-9-]+$/, 'must be <cloud>-<name>, such as aws-local')
    .describe('Id of this region, `<cloud>-<name>`.'),
  gateway,
  directory,
  engine,
  encryption,
  limits,
  namespaces: z
    .array(namespace)
    .default([])
    .describe('Namespaces that are kept as written here, at the start and at every reload.'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('The least important lines that are written to `logs/gatehouse.log`.'),
    })
    .prefault({})
    .describe("The operator's log."),
});

export type Config = z.infer<typeof configSchema>;
