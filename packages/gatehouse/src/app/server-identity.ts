import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { ServerIdentity } from '#base/wire/tls-listener';
import type { AuditWriter } from '#core/audit/audit-writer';
import { adminEvent } from './admin-event.ts';
import { watchFiles } from './watch-files.ts';

export interface IdentityFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface IdentityWatch {
  /** Other files from now on. @throws Error where they cannot be used; the old ones stay then. */
  follow(files: IdentityFiles): Promise<void>;
  stop(): void;
}

const DAY_MS = 86_400_000;
/** F-15: a line at each of these, in days before the end. */
const WARNING_DAYS = [30, 14, 7, 1, 0];
const EXPIRY_LOOK_MS = 3_600_000;

/**
 * Reads a server certificate with its chain, and its key.
 * @throws Error whose message says what is wrong with which file; it holds nothing of the key.
 */
export async function loadIdentity(files: IdentityFiles, nowMs: number): Promise<ServerIdentity> {
  const [certificate, privateKey] = await Promise.all([
    readText(files.certificateFile),
    readText(files.keyFile),
  ]);
  const fault = faultOf({ certificate, privateKey }, files, nowMs);
  if (fault !== undefined) throw new Error(fault);
  return { certificate, privateKey };
}

/** Which of these host names the certificate does not stand for: their clients refuse it. */
export function uncoveredHosts(certificatePem: string, hosts: readonly string[]): readonly string[] {
  const certificate = new X509Certificate(certificatePem);
  return hosts.filter((host) => certificate.checkHost(host) === undefined);
}

async function readText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file} cannot be read (${error.code ?? 'unknown error'})`);
  });
}

function faultOf(identity: ServerIdentity, files: IdentityFiles, nowMs: number): string | undefined {
  const certificate = attempt(() => new X509Certificate(identity.certificate));
  if (certificate === undefined) return `${files.certificateFile} holds no PEM certificate that can be read`;
  const key = attempt(() => createPrivateKey(identity.privateKey));
  if (key === undefined)
    return `${files.keyFile} holds no PEM private key that can be read without a passphrase`;
  if (!certificate.checkPrivateKey(key)) return `${files.keyFile} is not the key of ${files.certificateFile}`;
  if (certificate.validToDate.getTime() < nowMs) {
    return `${files.certificateFile} expired at ${certificate.validToDate.toISOString()}`;
  }
  if (certificate.validFromDate.getTime() > nowMs) {
    return `${files.certificateFile} is not valid before ${certificate.validFromDate.toISOString()}`;
  }
  return undefined;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    // OpenSSL's reasons speak of bytes, and of a key's bytes nothing may be said.
    return undefined;
  }
}

/**
 * Follows the server certificate's files and hands a new pair on, without a dropped connection. A pair that
 * cannot be used is refused, and the old one stays; both are recorded (F-15). Warns before the end.
 * @param current the pair that is shown now.
 */
export function watchIdentity(options: {
  readonly files: IdentityFiles;
  readonly current: ServerIdentity;
  readonly apply: (identity: ServerIdentity) => void;
  readonly log: Log;
  readonly audit: AuditWriter;
  readonly clock: Clock;
}): IdentityWatch {
  const { log, audit, clock } = options;
  let { files, current } = options;
  const use = async (next: IdentityFiles): Promise<void> => {
    const identity = await loadIdentity(next, clock.now());
    files = next;
    if (identity.certificate === current.certificate && identity.privateKey === current.privateKey) return;
    options.apply(identity);
    current = identity;
    const { fingerprint256, validToDate } = new X509Certificate(identity.certificate);
    log.info('the server certificate was replaced', { fingerprint256, until: validToDate.toISOString() });
    audit.append(adminEvent(clock, { method: 'certificate.reload', outcome: 'ok', detail: fingerprint256 }));
  };
  const changed = async (): Promise<void> => {
    try {
      await use(files);
    } catch (error) {
      log.error('the new server certificate cannot be used; the old one stays', { error });
      const detail = error instanceof Error ? error.message : String(error);
      const reason = 'certificate_unusable';
      audit.append(adminEvent(clock, { method: 'certificate.reload', outcome: 'refused', reason, detail }));
    }
  };
  const watch = watchFiles(() => [files.certificateFile, files.keyFile], changed);
  const warn = createExpiryWarning(log);
  const look = (): void => warn(current.certificate, clock.now());
  look();
  const timer = setInterval(look, EXPIRY_LOOK_MS);
  timer.unref();
  return {
    follow: use,
    stop() {
      watch.stop();
      clearInterval(timer);
    },
  };
}

/** Once at each threshold for each certificate. */
export function createExpiryWarning(log: Log): (certificatePem: string, nowMs: number) => void {
  const said = new Set<string>();
  return (certificatePem, nowMs) => {
    const { fingerprint256, validToDate } = new X509Certificate(certificatePem);
    const days = (validToDate.getTime() - nowMs) / DAY_MS;
    const threshold = WARNING_DAYS.findLast((limit) => days <= limit);
    if (threshold === undefined || said.has(`${fingerprint256} ${threshold}`)) return;
    said.add(`${fingerprint256} ${threshold}`);
    const until = validToDate.toISOString();
    if (days <= 0) log.error('the server certificate has expired: clients refuse it', { until });
    else log.warn(`the server certificate expires within ${threshold} days: replace it`, { until });
  };
}
