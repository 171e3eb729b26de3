import { join } from 'node:path';
import { generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import type { Clock } from '#base/runtime/clock';
import { makePrivateFolder, writeFileAtomic } from '#base/runtime/safe-file';
import type { EngineTls } from './engine-call.ts';
import { FRONTEND_NAME, INTERNODE_NAME } from './engine-config.ts';

/** The certificates between gateway and engine, and inside the engine (engine.md section 2). */
export interface EnginePki {
  /** The gateway's side: what it shows and what it trusts. Read anew for each connection. */
  gatewayTls(): EngineTls;
  /** What the key listener shows the engine. In memory only. */
  jwksIdentity(): { readonly cert: string; readonly key: string };
  /**
   * Renews what has passed two thirds of its life. Call it every hour or so.
   * @returns `authorities` when the engine must be restarted, because both sides trust new CAs.
   */
  renew(): Promise<'nothing' | 'leaves' | 'authorities'>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Renewed after 80 days, so that 40 are left: the engine warns from 30 on. */
export const LEAF_LIFE_MS: number = 120 * DAY_MS;
/** Renewed at every start; a process that runs for two years restarts its engine once. */
export const CA_LIFE_MS: number = 3 * 365 * DAY_MS;

/** Where the engine fetches our keys. */
const JWKS_ADDRESS = '127.0.0.1';

interface KeyPair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

interface Authorities {
  readonly internal: KeyPair;
  readonly gateway: KeyPair;
  readonly madeAtMs: number;
}

/**
 * Makes both CAs and all leaves anew and writes them to the folder (0700, files 0600). The CAs' private keys
 * stay in this process's memory: whoever reads the folder can become the gateway until the next start, but
 * can sign nothing. A running engine reads changed files within its refresh interval of one minute.
 */
export async function openEnginePki(options: {
  readonly folder: string;
  /** The engine's callbacks reach internal-frontend's HTTP port by the frontend's certificate. */
  readonly nexusEnabled: boolean;
  readonly clock: Clock;
}): Promise<EnginePki> {
  const { folder, clock } = options;
  await makePrivateFolder(folder);
  let authorities = await makeAuthorities(folder, clock.now());
  let leaves = await makeLeaves(authorities, options);
  return {
    gatewayTls: () => leaves.gatewayTls,
    jwksIdentity: () => leaves.jwksIdentity,
    async renew() {
      const nowMs = clock.now();
      const newAuthorities = isDue(authorities.madeAtMs, CA_LIFE_MS, nowMs);
      if (newAuthorities) authorities = await makeAuthorities(folder, nowMs);
      else if (!isDue(leaves.madeAtMs, LEAF_LIFE_MS, nowMs)) return 'nothing';
      leaves = await makeLeaves(authorities, options);
      return newAuthorities ? 'authorities' : 'leaves';
    },
  };
}

function isDue(madeAtMs: number, lifeMs: number, nowMs: number): boolean {
  return nowMs - madeAtMs >= (lifeMs * 2) / 3;
}

async function makeAuthorities(folder: string, nowMs: number): Promise<Authorities> {
  const internal = await generateInternalCa({
    commonName: 'Gatehouse engine internal CA',
    validityMs: CA_LIFE_MS,
    nowMs,
  });
  const gateway = await generateInternalCa({
    commonName: 'Gatehouse engine gateway CA',
    validityMs: CA_LIFE_MS,
    nowMs,
  });
  await writeFileAtomic(join(folder, 'internal-ca.crt'), internal.certificatePem);
  await writeFileAtomic(join(folder, 'gateway-ca.crt'), gateway.certificatePem);
  return { internal, gateway, madeAtMs: nowMs };
}

interface Leaves {
  readonly gatewayTls: EngineTls;
  readonly jwksIdentity: { readonly cert: string; readonly key: string };
  readonly madeAtMs: number;
}

async function makeLeaves(
  authorities: Authorities,
  options: { readonly folder: string; readonly nexusEnabled: boolean; readonly clock: Clock },
): Promise<Leaves> {
  const nowMs = options.clock.now();
  const leaf = async (
    name: string,
    ca: KeyPair,
    dnsNames: readonly string[],
    usages: readonly ('serverAuth' | 'clientAuth')[],
  ): Promise<KeyPair> => {
    const pair = await generateServiceCertificate({
      ca,
      commonName: dnsNames[0] ?? name,
      dnsNames,
      usages,
      validityMs: LEAF_LIFE_MS,
      nowMs,
    });
    await writeFileAtomic(join(options.folder, `${name}.key`), pair.privateKeyPem);
    await writeFileAtomic(join(options.folder, `${name}.crt`), pair.certificatePem);
    return pair;
  };
  const frontendNames = options.nexusEnabled ? [FRONTEND_NAME, INTERNODE_NAME] : [FRONTEND_NAME];
  await leaf('frontend', authorities.internal, frontendNames, ['serverAuth']);
  // Both usages: a serverAuth-only leaf is refused when one service calls another.
  await leaf('internode', authorities.internal, [INTERNODE_NAME], ['serverAuth', 'clientAuth']);
  const gateway = await leaf('gateway', authorities.gateway, ['gateway'], ['clientAuth']);
  const gatewayTls = Object.freeze({
    serverName: FRONTEND_NAME,
    ca: authorities.internal.certificatePem,
    cert: gateway.certificatePem,
    key: gateway.privateKeyPem,
  });
  const jwks = await generateServiceCertificate({
    ca: authorities.internal,
    commonName: 'engine-keys',
    dnsNames: [],
    ipAddresses: [JWKS_ADDRESS],
    usages: ['serverAuth'],
    validityMs: LEAF_LIFE_MS,
    nowMs,
  });
  const jwksIdentity = Object.freeze({ cert: jwks.certificatePem, key: jwks.privateKeyPem });
  return { gatewayTls, jwksIdentity, madeAtMs: nowMs };
}
