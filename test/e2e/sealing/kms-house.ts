import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../packages/gatehouse/src/base/crypto/secret.ts';
import { type FaultProxy, startFaultProxy } from '../../../packages/gatehouse/src/testing/fault-proxy.ts';
import { type House, startHouse } from '../../../packages/gatehouse/src/testing/house.ts';
import { type OpenBao, startOpenBao } from '../../parts/openbao.ts';
import { startGatehouse } from '../gatehouse-process.ts';

/** Under the platform's own KMS key, a file. */
export const PLAIN = 'default.local';
/** Under a key in OpenBao. */
export const CUSTOMER = 'customer.local';
/** Under another key in the same OpenBao, reached through a proxy. */
export const REMOTE = 'remote.local';

/** Short enough for a test to see its end. */
const CACHE_MS = 4000;

const KEYS = { customer: CUSTOMER, remote: REMOTE } as const;
type KeyName = keyof typeof KEYS;

/** A house that two customers have given KMS keys of their own. */
export interface KmsHouse {
  readonly house: House;
  readonly bao: OpenBao;
  /** Between the house and OpenBao, for the key of REMOTE. */
  readonly proxy: FaultProxy;
  /** What a customer's token may do with his key. */
  permit(key: KeyName, verbs: readonly string[]): Promise<void>;
  /** `gatehouse keys`, with the configuration of this house. @returns what it printed. */
  keys(...words: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

export const USUAL_VERBS = ['encrypt', 'decrypt'];

export async function startKmsHouse(): Promise<KmsHouse> {
  const bao = await startOpenBao();
  const proxy = await startFaultProxy(bao.address);
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-kms-house-'));
  const permit: KmsHouse['permit'] = async (key, verbs) => {
    const lines = verbs.map((verb) => `path "transit/${verb}/${key}" { capabilities = ["update"] }`);
    // A policy of nothing is refused.
    lines.push('path "sys/none" { capabilities = ["deny"] }');
    await bao.call('PUT', `sys/policies/acl/${key}`, { policy: lines.join('\n') });
  };
  const addresses: Record<KeyName, string> = { customer: bao.address, remote: proxy.address };
  const tokens: Record<string, string> = {};
  for (const key of Object.keys(KEYS) as KeyName[]) {
    await bao.call('POST', `transit/keys/${key}`, { type: 'aes256-gcm96' });
    await permit(key, USUAL_VERBS);
    tokens[key] = await createToken(bao, key);
    await writeFile(join(folder, `${key}.token`), tokens[key], { mode: 0o600 });
  }
  const home = join(folder, 'home');
  const named = (Object.keys(KEYS) as KeyName[]).map((key) => ({
    name: key,
    spec: {
      kind: 'vault' as const,
      address: addresses[key],
      key,
      token: new Secret(Buffer.from(tokens[key] ?? '')),
    },
  }));
  const house = await startHouse({
    home,
    namespaces: ['customer', 'remote'],
    kms: {
      platform: { kind: 'local', keyFile: join(home, 'keys', 'local-kms.key') },
      previous: [],
      named,
    },
    keyLives: { cacheMs: CACHE_MS },
  });
  const configFile = join(folder, 'gatehouse.yaml');
  await writeFile(configFile, configOf(home, addresses));
  return {
    house,
    bao,
    proxy,
    permit,
    async keys(...words) {
      const command = startGatehouse(['keys', ...words, '--config', configFile]);
      assert.equal(await command.ended, 0, command.stderr());
      return command.stdout();
    },
    async close() {
      await house.close();
      await proxy.close();
      await bao.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function createToken(bao: OpenBao, policy: string): Promise<string> {
  const made = await bao.call('POST', 'auth/token/create', { policies: [policy], ttl: '1h' });
  return (made as { auth: { client_token: string } }).auth.client_token;
}

/** The same platform, as `serve` would be told of it. */
function configOf(home: string, addresses: Readonly<Record<KeyName, string>>): string {
  const keys = Object.entries(addresses).map(
    ([key, address]) =>
      `    - { name: ${key}, kms: { kind: vault, address: '${address}', key: ${key}, token: 'file:${key}.token' } }`,
  );
  return `home: ${home}
domain: gatehouse.localhost
region: aws-local
gateway:
  grpc: { address: '127.0.0.1:7233' }
  certificateFile: ${home}/keys/server.pem
  keyFile: ${home}/keys/server.key
directory: { kind: sqlite }
encryption:
  keys:
${keys.join('\n')}
`;
}
