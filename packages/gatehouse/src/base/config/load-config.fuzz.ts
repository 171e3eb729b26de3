import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';
import { parseConfig } from './load-config.ts';

const SECRET = 'canary-of-a-secret';
const INLINE = 'canary-in-the-file-itself';
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const name of ['a.pem', 'a.key', 'password']) {
  writeFileSync(join(folder, name), SECRET);
  chmodSync(join(folder, name), 0o600);
}
const options = { file: 'gatehouse.yaml', folder, environment: { SECRET } };

/** A configuration, or a list of what is wrong with it that tells no secret; each fault has its own key. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('utf8');
  try {
    parseConfig(text, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // What stands for a key is no secret, and is named.
    const isValue = text.includes(`token: "${INLINE}"`) && text.split(INLINE).length === 2;
    const secrets = [text.includes(SECRET) ? undefined : SECRET, isValue ? INLINE : undefined];
    if (secrets.some((secret) => secret !== undefined && error.message.includes(secret)))
      throw new Error('it tells a secret');
    if (error.faults.length === 0) throw new Error('nothing is wrong, and yet it cannot be used');
    for (const { problem, line } of error.faults)
      if (problem === '' || (line !== undefined && !(line >= 1)))
        throw new Error(`${problem} at line ${line}`);
  }
}

const GATEWAY = 'gateway: { grpc: { address: "127.0.0.1:1" }, certificateFile: a.pem, keyFile: a.key }';
const HEAD = 'home: data\ndomain: g.example.com\nregion: aws-local\n';

export function seeds(): string[] {
  return [
    `${HEAD}${GATEWAY}`,
    `${HEAD}${GATEWAY}\nnamespaces:\n  - id: orders.acme1\n    caFile: a.pem\n    retentionDays: 3\n`,
    `${HEAD}${GATEWAY}\ndirectory: { kind: postgres, host: h, user: u, password: "\${env:SECRET}" }\n`,
    `${HEAD}${GATEWAY}\nengine: { storage: { kind: postgres, host: h, password: "file:password" } }\n`,
    `${HEAD}${GATEWAY}\nengine: { address: "h:1", caFile: a.pem, certificateFile: a.pem, keyFile: a.key }\n`,
    `${HEAD}${GATEWAY}\nencryption: { kms: { kind: local, keyFile: a.key } }\n`,
    `${HEAD}${GATEWAY}\nencryption: { kms: { kind: vault, address: "https://v", token: "${INLINE}" } }\n`,
    'a: &x [1]\nb: *x\n? {c: d}\n: e\n<<: {f: g}\n',
    '--- |\n text\n...\n--- !!binary aGk=\n',
    '[[[[[[{}]]]]]]',
    '%YAML 1.1\n---\n!!omap [a: 1]\n',
  ];
}

export const dictionary: string[] = [
  '${env:SECRET}',
  'file:password',
  '!!',
  '<<: ',
  '&a ',
  '*a',
  '? ',
  '- ',
  ': ',
  '|\n',
];
