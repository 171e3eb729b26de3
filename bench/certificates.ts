import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as files. */
export interface KeyPairFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** P-256 certificates of one run: both hops of every proxy use the same ones. */
export interface BenchCertificates {
  /** CA of the engine's and the proxies' own certificates, and of the proxies towards the engine. */
  readonly platformCaFile: string;
  readonly clientCaFile: string;
  /** What a proxy shows to clients: any namespace's host. */
  readonly front: KeyPairFiles;
  readonly client: KeyPairFiles;
  readonly engine: KeyPairFiles;
  /** What the real engine's services show one another. */
  readonly internode: KeyPairFiles;
  /** What the place of the token keys shows to the real engine. */
  readonly keys: KeyPairFiles;
  /** What a proxy shows to the engine. */
  readonly toEngine: KeyPairFiles;
}

export const DOMAIN = 'gatehouse.localhost';
export const NAMESPACE = 'bench.local';
export const NAMESPACE_HOST = `${NAMESPACE}.${DOMAIN}`;
export const ENGINE_NAME = 'engine-frontend';

/** Writes two CAs and their leaves with `openssl` 3 into `folder`, which must be private. */
export function writeCertificates(folder: string): BenchCertificates {
  // A machine's own openssl.cnf may add extensions of its own: this one adds none.
  writeFileSync(join(folder, 'openssl.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n');
  const ca = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
  const leaf = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature'];
  const server = [...leaf, 'extendedKeyUsage=serverAuth'];
  const client = [...leaf, 'extendedKeyUsage=clientAuth'];
  const platformCa = writePair(folder, 'platform-ca', ca);
  const clientCa = writePair(folder, 'client-ca', ca);
  return {
    platformCaFile: platformCa.certificateFile,
    clientCaFile: clientCa.certificateFile,
    front: writePair(folder, 'front', [...server, `subjectAltName=DNS:*.local.${DOMAIN}`], platformCa),
    client: writePair(folder, 'client', client, clientCa),
    engine: writePair(folder, 'engine', [...server, `subjectAltName=DNS:${ENGINE_NAME}`], platformCa),
    internode: writePair(
      folder,
      'internode',
      [...leaf, 'extendedKeyUsage=serverAuth,clientAuth', 'subjectAltName=DNS:engine-internode'],
      platformCa,
    ),
    keys: writePair(folder, 'keys', [...server, 'subjectAltName=IP:127.0.0.1'], platformCa),
    toEngine: writePair(folder, 'gateway', [...client, 'subjectAltName=DNS:gateway'], platformCa),
  };
}

function writePair(folder: string, name: string, extensions: string[], issuer?: KeyPairFiles): KeyPairFiles {
  const pair = { certificateFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
  const args = ['req', '-x509', '-config', join(folder, 'openssl.cnf'), '-sha256', '-days', '30', '-noenc'];
  args.push('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', `/CN=${name}`);
  args.push('-keyout', pair.keyFile, '-out', pair.certificateFile);
  for (const extension of extensions) args.push('-addext', extension);
  if (issuer) args.push('-CA', issuer.certificateFile, '-CAkey', issuer.keyFile);
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return pair;
}
