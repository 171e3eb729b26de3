import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { verifyChain } from '#core/audit/verify';
import type { EndpointFile } from './endpoint-file.ts';
import { homeAt, namespaceFiles } from './home.ts';

/** One thing that was looked at. */
export interface HomeFinding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly text: string;
  readonly cure?: string;
}

const WARN_DAYS = 14;
const DAY_MS = 86_400_000;

/** Looks at the files of a home: what is missing, open to others, about to expire, or broken. */
export async function diagnoseHome(root: string): Promise<readonly HomeFinding[]> {
  const home = homeAt(root);
  const endpoint = await readEndpoint(home.endpointFile);
  if (endpoint === undefined) {
    return [
      {
        level: 'problem',
        text: `there is no installation in ${root}`,
        cure: 'run `gatehouse up`, or give --home',
      },
    ];
  }
  const secrets = [home.kmsKeyFile, home.serverKeyFile, home.serverCaKeyFile];
  for (const { id } of endpoint.namespaces)
    secrets.push(namespaceFiles(home, id).clientKey, namespaceFiles(home, id).caKey);
  const findings: HomeFinding[] = [];
  for (const file of secrets) findings.push(await secretFinding(file));
  findings.push(await certificateFinding('the server certificate', home.serverCertificateFile));
  for (const { id, clientCert } of endpoint.namespaces)
    findings.push(await certificateFinding(`the client certificate of ${id}`, clientCert));
  findings.push(await chainFinding(home.audit));
  return findings;
}

async function readEndpoint(file: string): Promise<EndpointFile | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as EndpointFile);
}

async function secretFinding(file: string): Promise<HomeFinding> {
  const mode = await stat(file).then(
    (stats) => stats.mode & 0o777,
    () => undefined,
  );
  if (mode === undefined)
    return { level: 'warning', text: `${file} is missing`, cure: 'the next start makes it anew' };
  if ((mode & 0o077) === 0) return { level: 'ok', text: `${file} is readable by this user only` };
  return { level: 'problem', text: `${file} can be read by other users`, cure: `chmod 600 ${file}` };
}

async function certificateFinding(what: string, file: string): Promise<HomeFinding> {
  const pem = await readFile(file).catch(() => undefined);
  if (pem === undefined)
    return { level: 'warning', text: `${what} is missing`, cure: 'the next start makes it anew' };
  const days = Math.floor((new X509Certificate(pem).validToDate.getTime() - Date.now()) / DAY_MS);
  if (days < 0) return { level: 'problem', text: `${what} has expired`, cure: 'start again: it is renewed' };
  const level = days < WARN_DAYS ? 'warning' : 'ok';
  return { level, text: `${what} is good for ${days} days` };
}

async function chainFinding(folder: string): Promise<HomeFinding> {
  const result = await verifyChain(folder, {});
  return result.fault === undefined
    ? { level: 'ok', text: 'the audit chain verifies' }
    : {
        level: 'problem',
        text: 'the audit chain does not verify',
        cure: 'run `gatehouse audit verify` and keep a copy of the folder',
      };
}
