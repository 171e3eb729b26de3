import { z } from 'zod';
import { isAccountId, isNamespaceName } from '#base/model/namespace-id';

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

const file = z.string().min(1, 'must be the path of a file');

const certificateFilter = z.strictObject({
  commonName: z.string().optional(),
  organization: z.string().optional(),
  organizationalUnit: z.string().optional(),
  subjectAlternativeName: z.string().optional(),
});

const namespaceId = z.string().refine((id) => {
  const dot = id.indexOf('.');
  return dot > 0 && isNamespaceName(id.slice(0, dot)) && isAccountId(id.slice(dot + 1));
}, 'must be <namespace>.<account>, such as orders.acme1');

const namespace = z
  .strictObject({
    id: namespaceId.describe('Public id, `<namespace>.<account>`; also its name in the engine.'),
    caFile: file.describe('PEM file of the CA certificates that its clients must chain to.'),
    certificateFilters: z.array(certificateFilter).max(25).default([]).describe('Which certificates of the CAs pass; none: all.'),
    retentionDays: z.int().min(1).max(90).default(30).describe('How long closed workflows are kept, in days.'),
    allowTls12: z.boolean().default(false).describe('TLS 1.2 is accepted from its clients too.'),
    nexusEndpoints: z.array(z.string()).default([]).describe('Nexus endpoints that its workflows may call.'),
    audit: z.enum(['relaxed', 'strict']).default('relaxed').describe('strict: the record is on disk before the answer.'),
  })
  .describe('A namespace that is made at the start if it does not exist.');

const postgresTls = z.strictObject({ caFile: file, certificateFile: file.optional(), keyFile: file.optional(), serverName: z.string().optional() });

const postgres = z.strictObject({
  kind: z.literal('postgres'),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535).default(5432),
  user: z.string().min(1),
  password: z.string().describe('A secret: `${env:NAME}` or `file:PATH`.').meta({ secret: true }),
  database: z.string().optional(),
  tls: postgresTls.optional().describe('TLS to the server, always verified. Absent: a database on this machine.'),
});

const directory = z
  .discriminatedUnion('kind', [z.strictObject({ kind: z.literal('sqlite') }), postgres])
  .default({ kind: 'sqlite' })
  .describe('Where accounts, namespaces, CA bundles and keys are kept. sqlite: in the home.');

const engineStorage = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('sqlite') }),
    postgres.extend({ visibilityDatabase: z.string().optional() }),
  ])
  .default({ kind: 'sqlite' })
  .describe('Where an engine of our own keeps workflows. sqlite: in the home.');

const engine = z
  .strictObject({
    address: address.optional().describe('An existing Temporal cluster. Absent: an engine is found and run here.'),
    serverName: z.string().default('engine-frontend').describe('The name in the certificate of its frontend.'),
    caFile: file.optional().describe('CA of the frontend certificate. Needed with address.'),
    certificateFile: file.optional().describe('What the gateway shows the engine. Needed with address.'),
    keyFile: file.optional(),
    jwks: address.optional().describe('Where the engine reads our token keys; its keySourceURIs must name it.'),
    binary: file.optional().describe('A temporal-server binary to use instead of one on PATH or in the cache.'),
    storage: engineStorage,
    historyShards: z.int().min(1).max(16_384).default(4).describe('Fixed for the life of the data.'),
    nexus: z
      .strictObject({ enabled: z.boolean().default(false) })
      .default({ enabled: false })
      .describe('Nexus needs a port of the engine that bypasses its authorizer for the gateway certificate.'),
    acceptedAdvisories: z.array(z.string()).default([]).describe('Advisories of a configured engine that the operator accepts, by number.'),
  })
  .prefault({})
  .describe('The Temporal Server behind the gateway.');

const gateway = z.strictObject({
  grpc: z.strictObject({ address }).describe('The gRPC endpoint of every namespace.'),
  https: z.strictObject({ address }).optional().describe('The HTTPS API of every namespace. Absent: closed.'),
  certificateFile: file.describe('PEM of the server certificate with its chain, read again when it changes.'),
  keyFile: file.describe('PEM of its key, readable by this user only.'),
  allowTls12: z.boolean().default(false).describe('Namespaces may allow TLS 1.2. Off: TLS 1.3 only.'),
  drainSeconds: z.int().min(1).max(3600).default(75).describe('How long running calls may take to finish at a stop.'),
});

/** The whole configuration of `gatehouse serve`. Unknown keys are faults. */
export const configSchema = z
  .strictObject({
    home: z.string().min(1).describe('Folder of keys, audit chain, local copies. Made with mode 0700.'),
    account: z.string().refine(isAccountId, 'must be at least 5 of a-z and 0-9').default('local'),
    domain: z.string().min(1).describe('Namespaces are reached as <namespace>.<account>.<domain>.'),
    region: z.string().regex(/^[a-z]+-[a-z0-9-]+$/, 'must be <cloud>-<name>, such as aws-local').describe('Region id.'),
    gateway,
    directory,
    engine,
    namespaces: z.array(namespace).default([]),
    log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  })
  .superRefine((config, context) => {
    if (config.engine.address === undefined) return;
    for (const key of ['caFile', 'certificateFile', 'keyFile', 'jwks'] as const) {
      if (config.engine[key] !== undefined) continue;
      context.addIssue({ code: 'custom', path: ['engine', key], message: 'is needed where engine.address is set' });
    }
  });

export type Config = z.infer<typeof configSchema>;
