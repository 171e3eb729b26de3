import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type Refusal, refuse } from '#base/model/refusals';
import { parseCertificate } from '#base/pki/certificate';
import { formatName } from '#base/pki/distinguished-name';
import { parseDuration } from '#base/pki/duration';
import { generateCa, generateLeaf } from '#base/pki/generate';
import type { GeneratedCertificate } from '#base/pki/issue-certificate';
import { readPem } from '#base/pki/pem';
import { type Clock, systemClock } from '#base/runtime/clock';
import { writeFileAtomic } from '#base/runtime/safe-file';

export interface CertCommandOptions {
  readonly clock?: Clock;
  readonly write?: (text: string) => void;
}

interface OutputFlags {
  readonly output: 'table' | 'json';
  readonly force?: true;
}

interface CaFlags extends OutputFlags {
  readonly organization: string;
  readonly validityPeriod: string;
  readonly caCertificateFile: string;
  readonly caKeyFile: string;
  readonly rsaAlgorithm?: true;
}

interface LeafFlags extends OutputFlags {
  readonly organization: string;
  readonly organizationUnit?: string;
  readonly commonName?: string;
  readonly validityPeriod?: string;
  readonly caCertificateFile: string;
  readonly caKeyFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/**
 * `gatehouse cert ca|leaf`, with the flags of `tcld gen ca|leaf`. Faults of input are thrown as refusals whose
 * message is for the person at the terminal.
 */
export function certCommand(options: CertCommandOptions = {}): Command {
  const { clock = systemClock, write = (text: string) => void process.stdout.write(text) } = options;
  const cert = new Command('cert').description('make CA and client certificates on this machine');
  describeCa(cert.command('ca')).action(async (flags: CaFlags) => write(await makeCa(flags, clock.now())));
  describeLeaf(cert.command('leaf')).action(async (flags: LeafFlags) =>
    write(await makeLeaf(flags, clock.now())),
  );
  return cert;
}

function describeCa(command: Command): Command {
  return command
    .description('make a certificate authority: its certificate is for the namespace, its key stays with you')
    .requiredOption('--org, --organization <name>', 'name of the organization')
    .requiredOption('-d, --validity-period <duration>', 'how long it is valid, more than 7d and at most 365d')
    .requiredOption('--ca-cert, --ca-certificate-file <path>', 'where to write the certificate')
    .requiredOption('--ca-key, --ca-key-file <path>', 'where to write its private key (mode 0600)')
    .option('--rsa, --rsa-algorithm', 'RSA 4096 instead of ECDSA P-384')
    .option('--force', 'replace files that exist')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  $ gatehouse cert ca --org Acme -d 365d --ca-cert ca.pem --ca-key ca.key
  $ gatehouse cert ca --org Acme -d 30d10h --rsa --ca-cert ca.pem --ca-key ca.key --output json`,
    );
}

function describeLeaf(command: Command): Command {
  return command
    .description('make a client certificate, signed by your certificate authority')
    .requiredOption('--org, --organization <name>', 'name of the organization')
    .option('--organization-unit <name>', 'organizational unit')
    .option('--common-name <name>', 'common name')
    .option(
      '-d, --validity-period <duration>',
      'how long it is valid (default: until 24h before its CA expires)',
    )
    .requiredOption('--ca-cert, --ca-certificate-file <path>', "the CA's certificate")
    .requiredOption('--ca-key, --ca-key-file <path>', "the CA's private key")
    .requiredOption('--cert, --certificate-file <path>', 'where to write the certificate')
    .requiredOption('--key, --key-file <path>', 'where to write its private key (mode 0600)')
    .option('--force', 'replace files that exist')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  $ gatehouse cert leaf --org Acme --ca-cert ca.pem --ca-key ca.key --cert client.pem --key client.key
  $ gatehouse cert leaf --org Acme --common-name worker-1 -d 30d \\
      --ca-cert ca.pem --ca-key ca.key --cert client.pem --key client.key`,
    );
}

function outputOption(): Option {
  return new Option('--output <form>', 'form of the answer').choices(['table', 'json']).default('table');
}

async function makeCa(flags: CaFlags, nowMs: number): Promise<string> {
  const { caCertificateFile, caKeyFile } = flags;
  await checkTargets([caCertificateFile, caKeyFile], flags);
  const made = await generateCa({
    organization: flags.organization,
    validityMs: parseDuration(flags.validityPeriod),
    rsa: flags.rsaAlgorithm === true,
    nowMs,
  });
  return await store(made, caCertificateFile, caKeyFile, flags);
}

async function makeLeaf(flags: LeafFlags, nowMs: number): Promise<string> {
  const { certificateFile, keyFile, organizationUnit, commonName, validityPeriod } = flags;
  await checkTargets([certificateFile, keyFile], flags, [flags.caCertificateFile, flags.caKeyFile]);
  const made = await generateLeaf({
    caPem: await readInput('--ca-certificate-file', flags.caCertificateFile),
    caKeyPem: await readInput('--ca-key-file', flags.caKeyFile),
    organization: flags.organization,
    ...(organizationUnit === undefined ? {} : { organizationalUnit: organizationUnit }),
    ...(commonName === undefined ? {} : { commonName }),
    ...(validityPeriod === undefined ? {} : { validityMs: parseDuration(validityPeriod) }),
    nowMs,
  });
  return await store(made, certificateFile, keyFile, flags);
}

/** Before the work: a key that cannot be written must not have been made, and no key is ever overwritten unasked. */
async function checkTargets(
  paths: readonly string[],
  flags: OutputFlags,
  inputs: readonly string[] = [],
): Promise<void> {
  const all = [...paths, ...inputs].map((path) => resolve(path));
  if (new Set(all).size < all.length) throw invalid('every file needs a path of its own');
  for (const path of paths)
    if (flags.force !== true && (await exists(path)))
      throw invalid(`${path} already exists; give --force to replace it`);
}

async function store(
  made: GeneratedCertificate,
  certificateFile: string,
  keyFile: string,
  flags: OutputFlags,
): Promise<string> {
  // The key first: a certificate without its key looks finished and is of no use.
  await writeOutput(keyFile, made.privateKeyPem, 0o600);
  await writeOutput(certificateFile, made.certificatePem, 0o644);
  const certificate = parseCertificate(readPem(made.certificatePem).blocks[0]?.der ?? new Uint8Array());
  const summary = {
    certificateFile: resolve(certificateFile),
    keyFile: resolve(keyFile),
    subject: formatName(certificate.subject),
    notAfter: new Date(certificate.notAfterMs).toISOString(),
    fingerprint: certificate.fingerprint,
  };
  if (flags.output === 'json') return `${JSON.stringify(summary)}\n`;
  const rows = [
    ['certificate', summary.certificateFile],
    ['private key', `${summary.keyFile} (do not share it with anyone)`],
    ['subject', summary.subject],
    ['valid until', summary.notAfter],
    ['sha-256', summary.fingerprint],
  ];
  return rows.map(([label = '', text = '']) => `${label.padEnd(13)}${text}\n`).join('');
}

async function writeOutput(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFileAtomic(path, text, mode);
  } catch (error) {
    throw invalid(`${path} cannot be written (${reasonOf(error)})`);
  }
}

async function readInput(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(`${flag}: ${path} cannot be read (${reasonOf(error)})`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}

function invalid(publicDetail: string): Refusal {
  return refuse('input_invalid', { publicDetail });
}
