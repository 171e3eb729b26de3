import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat, statfs } from 'node:fs/promises';
import { type Clock, systemClock } from '#base/runtime/clock';
import { verifyChains } from '#core/audit/verify-chains';
import { diagnoseEngine } from './diagnose-engine.ts';
import type { EndpointFile } from './endpoint-file.ts';
import type { Finding } from './finding.ts';
import { type Home, homeAt, namespaceFiles } from './home.ts';
import type { Machine } from './open-engine.ts';

const WARN_DAYS = 14;
const DAY_MS = 86_400_000;
/** Audit chain and histories grow; calls are refused when the disk is full. */
const FREE_BYTES_MIN = 1024 ** 3;

/**
 * Looks at a home and its engine: what is missing, open to others, about to expire, or broken. Changes nothing,
 * and may look at one that runs.
 */
export async function diagnoseHome(
  root: string,
  machine: Machine,
  clock: Clock = systemClock,
): Promise<readonly Finding[]> {
  const home = homeAt(root);
  const engine = await diagnoseEngine(root, machine, clock);
  if ((await modeOf(home.kmsKeyFile)) === undefined) {
    const cure = 'run `gatehouse up`, or give --home';
    return [{ level: 'problem', text: `there is no installation in ${root}`, cure }, ...engine];
  }
  const endpoint = await readEndpoint(home.endpointFile);
  return [
    await folderFinding(home),
    ...(await secretFindings(home, endpoint)),
    await certificateFinding('the server certificate', home.serverCertificateFile, home.serverKeyFile, clock),
    ...(await clientFindings(home, endpoint, clock)),
    await chainFinding(home.audit),
    await diskFinding(home),
    ...engine,
  ];
}

async function readEndpoint(file: string): Promise<EndpointFile | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  // Only `up` writes it.
  return text === undefined ? undefined : (JSON.parse(text) as EndpointFile);
}

async function folderFinding({ root }: Home): Promise<Finding> {
  if ((((await modeOf(root)) ?? 0) & 0o077) === 0)
    return { level: 'ok', text: `${root} is for this user only` };
  return { level: 'problem', text: `${root} can be entered by other users`, cure: `chmod 700 ${root}` };
}

/** One line for all that are well, one for each that is not. */
async function secretFindings(home: Home, endpoint: EndpointFile | undefined): Promise<readonly Finding[]> {
  const files = [home.kmsKeyFile, home.auditKeyFile, home.serverKeyFile, home.serverCaKeyFile];
  for (const { id } of endpoint?.namespaces ?? []) {
    files.push(namespaceFiles(home, id).clientKey, namespaceFiles(home, id).caKey);
  }
  const findings: Finding[] = [];
  for (const file of files) {
    const mode = await modeOf(file);
    if (mode === undefined) {
      findings.push({ level: 'warning', text: `${file} is missing`, cure: 'the next start makes it anew' });
    } else if ((mode & 0o077) !== 0) {
      findings.push({
        level: 'problem',
        text: `${file} can be read by other users`,
        cure: `chmod 600 ${file}`,
      });
    }
  }
  if (findings.length > 0) return findings;
  return [{ level: 'ok', text: `${files.length} keys are readable by this user only` }];
}

async function clientFindings(
  home: Home,
  endpoint: EndpointFile | undefined,
  clock: Clock,
): Promise<readonly Finding[]> {
  return await Promise.all(
    (endpoint?.namespaces ?? []).map(({ id }) => {
      const { clientCert, clientKey } = namespaceFiles(home, id);
      return certificateFinding(`the client certificate of ${id}`, clientCert, clientKey, clock);
    }),
  );
}

async function certificateFinding(
  what: string,
  file: string,
  keyFile: string,
  clock: Clock,
): Promise<Finding> {
  const [pem, key] = await Promise.all([file, keyFile].map((each) => readFile(each).catch(() => undefined)));
  if (pem === undefined || key === undefined) {
    return { level: 'warning', text: `${what} is missing`, cure: 'the next start makes it anew' };
  }
  const read = readPair(pem, key);
  if (typeof read === 'string') {
    return {
      level: 'problem',
      text: `${what} cannot be used: ${read}`,
      cure: 'start again: it is made anew',
    };
  }
  const days = Math.floor((read.validToDate.getTime() - clock.now()) / DAY_MS);
  if (days < 0) return { level: 'problem', text: `${what} has expired`, cure: 'start again: it is renewed' };
  if (days >= WARN_DAYS) return { level: 'ok', text: `${what} is good for ${days} days` };
  return {
    level: 'warning',
    text: `${what} is good for ${days} days only`,
    cure: 'start again: it is renewed',
  };
}

function readPair(pem: Buffer, key: Buffer): X509Certificate | string {
  try {
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(key))
      ? certificate
      : 'its key is that of another one';
  } catch {
    // OpenSSL's reasons may quote what must not be shown.
    return 'it or its key is damaged';
  }
}

async function chainFinding(folder: string): Promise<Finding> {
  const broken = (await verifyChains(folder)).filter(({ verdict }) => verdict.fault !== undefined);
  if (broken.length === 0) return { level: 'ok', text: 'the audit chain verifies' };
  const cure = 'run `gatehouse audit verify`, and keep a copy of the folder';
  const names = broken.flatMap(({ name }) => (name === '' ? [] : [name]));
  const which = names.length === 0 ? '' : ` (${names.join(', ')})`;
  return { level: 'problem', text: `the audit chain does not verify${which}`, cure };
}

async function diskFinding({ root }: Home): Promise<Finding> {
  const { bavail, bsize } = await statfs(root);
  const free = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB`;
  if (bavail * bsize >= FREE_BYTES_MIN) return { level: 'ok', text: `${free} of disk are free` };
  return {
    level: 'warning',
    text: `only ${free} of disk are free`,
    cure: 'make room: calls are refused when it is full',
  };
}

async function modeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ mode }) => mode & 0o777,
    () => undefined,
  );
}
