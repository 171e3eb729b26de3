import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import { makePrivateFolder, writeFileAtomic } from '#base/runtime/safe-file';
import { type Home, namespaceFiles } from './home.ts';

const DAY_MS = 86_400_000;
const SERVER_CA_MS = 3650 * DAY_MS;
const SERVER_CERTIFICATE_MS = 90 * DAY_MS;
/** A customer's CA lives a year at most (tcld). */
const CLIENT_CA_MS = 365 * DAY_MS;

interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/**
 * Makes the server CA of a home once, and a server certificate for the account's hosts where there is none
 * or it is due.
 */
export async function ensureServerCertificate(
  home: Home,
  names: { readonly account: string; readonly domain: string },
  nowMs: number,
): Promise<void> {
  for (const file of [home.serverCaFile, home.serverCaKeyFile]) await makePrivateFolder(dirname(file));
  let ca = await readPair(home.serverCaFile, home.serverCaKeyFile);
  if (ca === undefined) {
    ca = await generateInternalCa({ commonName: 'Gatehouse server CA', validityMs: SERVER_CA_MS, nowMs });
    await writePair(home.serverCaFile, home.serverCaKeyFile, ca, 0o644);
  }
  const wildcard = `*.${names.account}.${names.domain}`;
  const kept = await readPair(home.serverCertificateFile, home.serverKeyFile);
  const fits = kept !== undefined && isIssuedBy(kept, ca) && isFor(kept, wildcard.replace('*', 'x'));
  if (fits && !isDue(kept, nowMs)) return;
  const leaf = await generateServiceCertificate({
    ca,
    commonName: names.domain,
    dnsNames: [wildcard, names.domain, 'localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['serverAuth'],
    validityMs: SERVER_CERTIFICATE_MS,
    nowMs,
  });
  await writePair(home.serverCertificateFile, home.serverKeyFile, leaf, 0o600);
}

/** The namespaces that have a folder of certificates in the home. */
export async function namespaceFolders(home: Home): Promise<readonly string[]> {
  const entries = await readdir(home.namespaces, { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/**
 * Makes a CA and a client certificate for a namespace, where there are none or they are due. A CA that is
 * replaced because it is due stays in the bundle until it expires: clients that hold a certificate of it go on.
 * @returns the bundle's PEM, the CA in use first.
 */
export async function ensureClientCertificate(home: Home, id: string, nowMs: number): Promise<string> {
  const files = namespaceFiles(home, id);
  await makePrivateFolder(home.namespaces);
  await makePrivateFolder(files.folder);
  const keptCa = await readPair(files.caCert, files.caKey);
  if (keptCa !== undefined && !isDue(keptCa, nowMs)) {
    const kept = await readPair(files.clientCert, files.clientKey);
    if (kept === undefined || isDue(kept, nowMs) || !isIssuedBy(kept, keptCa))
      await makeClient(home, id, keptCa, nowMs);
    return keptCa.certificatePem;
  }
  const made = await generateCa({ organization: id, validityMs: CLIENT_CA_MS, nowMs });
  const bundle = made.certificatePem + (keptCa === undefined ? '' : stillValid(keptCa.certificatePem, nowMs));
  const ca = { certificatePem: bundle, privateKeyPem: made.privateKeyPem };
  await writePair(files.caCert, files.caKey, ca, 0o644);
  await makeClient(home, id, ca, nowMs);
  return bundle;
}

async function makeClient(home: Home, id: string, ca: Pair, nowMs: number): Promise<void> {
  const files = namespaceFiles(home, id);
  const leaf = await generateLeaf({
    caPem: certificatesIn(ca.certificatePem)[0] ?? '',
    caKeyPem: ca.privateKeyPem,
    organization: id,
    commonName: `client.${id}`,
    nowMs,
  });
  await writePair(files.clientCert, files.clientKey, leaf, 0o644);
}

/** A certificate with its key; undefined where one is missing or they do not belong together. */
async function readPair(certificateFile: string, keyFile: string): Promise<Pair | undefined> {
  const [certificatePem, privateKeyPem] = await Promise.all([
    readIfPresent(certificateFile),
    readIfPresent(keyFile),
  ]);
  if (certificatePem === undefined || privateKeyPem === undefined) return undefined;
  try {
    const isPair = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
    return isPair ? { certificatePem, privateKeyPem } : undefined;
  } catch {
    // Damaged, or from a crash between the two files: made anew like what is missing.
    return undefined;
  }
}

async function writePair(certificateFile: string, keyFile: string, pair: Pair, mode: number): Promise<void> {
  await writeFileAtomic(keyFile, pair.privateKeyPem);
  await writeFileAtomic(certificateFile, pair.certificatePem, mode);
}

async function readIfPresent(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** Has less than a third of its life left, so it is time for another. */
function isDue({ certificatePem }: Pair, nowMs: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  const left = validToDate.getTime() - nowMs;
  return left < (validToDate.getTime() - validFromDate.getTime()) / 3;
}

function isIssuedBy({ certificatePem }: Pair, ca: Pair): boolean {
  return new X509Certificate(certificatePem).verify(new X509Certificate(ca.certificatePem).publicKey);
}

function isFor({ certificatePem }: Pair, host: string): boolean {
  return new X509Certificate(certificatePem).checkHost(host) !== undefined;
}

function certificatesIn(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g) ?? [];
}

function stillValid(bundlePem: string, nowMs: number): string {
  return certificatesIn(bundlePem)
    .filter((pem) => new X509Certificate(pem).validToDate.getTime() > nowMs)
    .join('');
}
