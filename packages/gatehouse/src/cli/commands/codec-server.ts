import type { EncryptionCodec } from '@gatehouse/codec';
import type { ListeningCodecServer, RequestReport } from '@gatehouse/codec/server';
import { Command, InvalidArgumentError } from 'commander';
import { createLog, type Log } from '#base/runtime/log';
import {
  type CodecServerFlags,
  CodecServerUsageError,
  type KeySource,
  keySources,
  readCertificate,
  tokenSettings,
} from '../codec-server-settings.ts';
import { listenForStop } from '../until-stopped.ts';

/** `gatehouse codec-server`: runs where the keys are, which is never the platform. */
export function codecServerCommand(): Command {
  return new Command('codec-server')
    .description('Decrypt payloads for the temporal CLI and the Web UI, with your keys, in your own network.')
    .option('--port <port>', 'where to listen; 0 for a free one', parsePort, 8081)
    .option('--host <address>', 'another address than the loopback needs TLS', '127.0.0.1')
    .option('--keys <source>', 'FILE, env:NAME or NAMESPACE=FILE; may be repeated', collect, [])
    .option('--origin <origin>', 'a Web UI that may ask, exactly; may be repeated', collect, [])
    .option('--issuer <url>', 'issuer of access tokens')
    .option('--audience <text>', 'audience of access tokens')
    .option('--jwks <url>', "the issuer's keys, where its metadata does not say")
    .option('--permissions-claim <name>', 'claim that lists <namespace>:<read|write|admin>', 'permissions')
    .option('--allow-anonymous', 'decode for everybody on this machine', false)
    .option('--allow-credentials', 'let browsers send cookies (for a proxy of yours that reads them)', false)
    .option('--no-encode', 'only decode: the CLI and the Web UI then cannot start Workflows with it')
    .option('--tls-cert <file>', 'certificate chain (PEM)')
    .option('--tls-key <file>', 'its private key (PEM, mode 0600)')
    .addHelpText(
      'after',
      `
A key file is for its owner alone (mode 0600) and holds lines "<id> <base64 of 32 bytes> [decrypt-only]", oldest first;
the last that is not decrypt-only encrypts. SIGHUP reads keys and certificate again. Tokens need a permission for the
namespace in X-Namespace: read to decode, write to encode.

Examples:
  gatehouse codec-server --keys codec.keys --allow-anonymous
  gatehouse codec-server --host 0.0.0.0 --port 8443 --tls-cert codec.pem --tls-key codec.key \\
      --keys orders.acme1=orders.keys --keys billing.acme1=billing.keys \\
      --origin https://ui.example.com --issuer https://id.example.com --audience codec
  printf '%s %s\\n' "$(date +%Y-%m)" "$(openssl rand -base64 32)" >> codec.keys    # a new key
  temporal workflow show -w some-id --codec-endpoint http://127.0.0.1:8081`,
    )
    .action((flags: CodecServerFlags, command: Command) =>
      runCodecServer(flags).catch((error: unknown) => {
        if (error instanceof CodecServerUsageError) command.error(`error: ${error.message}`, { exitCode: 2 });
        throw error;
      }),
    );
}

async function runCodecServer(flags: CodecServerFlags): Promise<void> {
  const sources = keySources(flags.keys);
  const tokens = tokenSettings(flags);
  const certificate = readCertificate(flags);
  const stop = listenForStop(process.env);
  const log = createLog({ level: 'info', write: (line) => process.stderr.write(line) });
  const { authorizeToken, createCodecServer, startCodecServer } = await import('@gatehouse/codec/server');
  const codecs = await openCodecs(sources, log);
  const server = asUsage(() =>
    createCodecServer({
      // A namespace without keys of its own is served only where there are keys for all.
      codec: (namespace) => codecs.get(namespace) ?? codecs.get(undefined),
      allowedOrigins: flags.origin,
      allowCredentials: flags.allowCredentials,
      encode: flags.encode,
      onRequest: (report) => logRequest(log, report),
      ...(tokens === undefined ? { allowAnonymous: true } : { authorize: authorizeToken(tokens) }),
    }),
  );
  const { host, port } = flags;
  const listening = await startCodecServer(server, { host, port, ...(certificate && { certificate }) });
  stop.started();
  process.on('SIGHUP', () => void reload(flags, codecs, listening, log));
  process.stdout.write(`${JSON.stringify({ ready: true, url: listening.url })}\n`);
  await stop.asked;
  await listening.close();
}

type Codecs = ReadonlyMap<string | undefined, EncryptionCodec>;

async function openCodecs(sources: readonly KeySource[], log: Log): Promise<Codecs> {
  const { keysFromEnvironment, keysFromFile, openEncryptionCodec } = await import('@gatehouse/codec');
  const opened = sources.map(async ({ namespace, from }) => {
    const keys = 'file' in from ? keysFromFile(from.file) : keysFromEnvironment(from.variable);
    const onReloadError = (error: unknown) => log.warn('the keys could not be read again', { error });
    return [namespace, await openEncryptionCodec({ keys, onReloadError })] as const;
  });
  return new Map(await Promise.all(opened));
}

/** On a fault, what was in force stays in force. */
async function reload(
  flags: CodecServerFlags,
  codecs: Codecs,
  listening: ListeningCodecServer,
  log: Log,
): Promise<void> {
  try {
    for (const codec of codecs.values()) await codec.reload();
    const certificate = readCertificate(flags);
    if (certificate !== undefined) listening.useCertificate(certificate);
    log.info('keys and certificate were read again');
  } catch (error) {
    log.error('keys or certificate could not be read again', { error });
  }
}

/** Who read what, and who was refused. */
function logRequest(log: Log, report: RequestReport): void {
  if (report.status < 400) log.info('answered', { ...report });
  else log.warn('refused', { ...report });
}

/** An origin or a URL that cannot be one is the caller's. */
function asUsage<T>(build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (error instanceof TypeError) throw new CodecServerUsageError(error.message);
    throw error;
  }
}

function collect(word: string, all: readonly string[]): readonly string[] {
  return [...all, word];
}

function parsePort(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('a port is 0 to 65535');
  return value;
}
