import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import { makePrivateFolder, writeFileAtomic } from '#base/runtime/safe-file';
import { type Home, namespaceFiles } from './home.ts';

const DAY_MS = 86_400_000;
const SERVER_CA_MS = 3650 * DAY_MS;
const SERVER_CERTIFICATE_MS = 90 * DAY_MS;
/** A customer's CA lives a year at most (tcld). */
const CLIENT_CA_MS = 365 * DAY_MS;

/** Has less than a third of its life left, so it is time for another. */
function isDue(pem: string, nowMs: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(pem);
  const left = validToDate.getTime() - nowMs;
  return left < (validToDate.getTime() - validFromDate.getTime()) / 3;
}

async function readIfPresent(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/**
 * Makes the server CA of a home once, and a server certificate for the account's hosts where there is none
 * or it is due. @returns whether the certificate is new.
 */
export async function ensureServerCertificate(
  home: Home,
  names: { readonly account: string; readonly domain: string },
  nowMs: number,
): Promise<boolean> {
  for (const file of [home.serverCaFile, home.serverCaKeyFile]) await makePrivateFolder(dirname(file));
  let caPem = await readIfPresent(home.serverCaFile);
  let caKeyPem = await readIfPresent(home.serverCaKeyFile);
  if (caPem === undefined || caKeyPem === undefined) {
    const ca = await generateInternalCa({ commonName: 'Gatehouse server CA', validityMs: SERVER_CA_MS, nowMs });
    // The key first: a certificate without its key would never be replaced.
    await writeFileAtomic(home.serverCaKeyFile, ca.privateKeyPem);
    await writeFileAtomic(home.serverCaFile, ca.certificatePem, 0o644);
    caPem = ca.certificatePem;
    caKeyPem = ca.privateKeyPem;
  }
  const kept = await readIfPresent(home.serverCertificateFile);
  const wildcard = `*.${names.account}.${names.domain}`;
  const fits = kept !== undefined && new X509Certificate(kept).checkHost(wildcard.replace('*', 'x')) !== undefined;
  if (kept !== undefined && fits && !isDue(kept, nowMs)) return false;
  const leaf = await generateServiceCertificate({
    ca: { certificatePem: caPem, privateKeyPem: caKeyPem },
    commonName: names.domain,
    dnsNames: [wildcard, names.domain, 'localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['serverAuth'],
    validityMs: SERVER_CERTIFICATE_MS,
    nowMs,
  });
  await writeFileAtomic(home.serverKeyFile, leaf.privateKeyPem);
  await writeFileAtomic(home.serverCertificateFile, leaf.certificatePem);
  return true;
}

/** Makes a CA and a client certificate for a namespace, where there are none or they are due. @returns the CA's PEM. */
export async function ensureClientCertificate(home: Home, id: string, nowMs: number): Promise<string> {
  const files = namespaceFiles(home, id);
  await makePrivateFolder(files.folder);
  let caPem = await readIfPresent(files.caCert);
  let caKeyPem = await readIfPresent(files.caKey);
  if (caPem === undefined || caKeyPem === undefined || isDue(caPem, nowMs)) {
    const ca = await generateCa({ organization: id, validityMs: CLIENT_CA_MS, nowMs });
    await writeFileAtomic(files.caKey, ca.privateKeyPem);
    await writeFileAtomic(files.caCert, ca.certificatePem, 0o644);
    caPem = ca.certificatePem;
    caKeyPem = ca.privateKeyPem;
  } else {
    const kept = await readIfPresent(files.clientCert);
    if (kept !== undefined && !isDue(kept, nowMs) && isIssuedBy(kept, caPem)) return caPem;
  }
  const leaf = await generateLeaf({ caPem, caKeyPem, organization: id, commonName: `client.${id}`, nowMs });
  await writeFileAtomic(files.clientKey, leaf.privateKeyPem);
  await writeFileAtomic(files.clientCert, leaf.certificatePem, 0o644);
  return caPem;
}

function isIssuedBy(pem: string, caPem: string): boolean {
  const ca = new X509Certificate(caPem);
  return new X509Certificate(pem).verify(ca.publicKey);
}
