import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

/** The program of Debian's package `testssl.sh`. */
export const TESTSSL = 'testssl';

export interface TestsslTarget {
  /** What the scanner asks for by server name. Its address is not looked up: it is on the loopback. */
  readonly serverName: string;
  readonly port: number;
  /** PEM. */
  readonly serverCa: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** One line of the report. Severities from good to bad: OK, INFO, LOW, MEDIUM, HIGH, CRITICAL; and WARN and DEBUG, which
 * speak of the scan itself. */
export interface TestsslFinding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** Protocols, cipher categories, forward secrecy, and every vulnerability that it knows by name. */
const checks = ['--protocols', '--std', '--pfs', '--vulnerable'];

/** Scans one door. Its own exit status counts findings, so only the report is read. @throws Error without one. */
export async function runTestssl(target: TestsslTarget): Promise<readonly TestsslFinding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-testssl-'));
  const report = join(folder, 'report.json');
  try {
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, target.serverCa);
    const args = [
      ...['--quiet', '--warnings', 'off', '--color', '0', '--nodns', 'none', '--ip', '127.0.0.1'],
      ...['--openssl', await certifiedOpenssl(folder, target), '--add-ca', ca],
      ...[...checks, '--jsonfile', report, `${target.serverName}:${target.port}`],
    ];
    // 16 to 25 s on a machine with nothing else to do.
    const outcome = await runProgram(TESTSSL, args, { timeoutMs: 180_000 });
    const text = await readFile(report, 'utf8').catch(() => '');
    if (text === '') throw new Error(`testssl left no report: ${outcome.stdout}${outcome.stderr}`);
    return JSON.parse(text) as TestsslFinding[];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The scanner cannot show a client certificate, but for the half of its checks that OpenSSL makes on its behalf. */
async function certifiedOpenssl(folder: string, target: TestsslTarget): Promise<string> {
  const path = join(folder, 'openssl');
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'key.pem');
  await writeFile(certificate, target.certificate);
  await writeFile(key, target.privateKey, { mode: 0o600 });
  const lines = [
    '#!/bin/sh',
    `[ "$1" = s_client ] || exec openssl "$@"`,
    'shift',
    `exec openssl s_client -cert '${certificate}' -key '${key}' "$@"`,
  ];
  await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o700 });
  return path;
}
