import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '#base/config/load-config';
import { generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import { diagnoseConfig } from './diagnose-config.ts';

const DAY_MS = 86_400_000;

test('a configuration is judged with the files that it names, and told of hosts that its certificate does not cover', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-diagnose-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ca = await generateInternalCa({ commonName: 'x', validityMs: DAY_MS });
  const issue = (dnsName: string) =>
    generateServiceCertificate({
      ca,
      commonName: 'x',
      dnsNames: [dnsName],
      usages: ['serverAuth'],
      validityMs: DAY_MS,
      nowMs: Date.now(),
    });
  const [right, wrong] = [await issue('*.acme1.example.com'), await issue('example.com')];
  const file = join(folder, 'gatehouse.yaml');
  writeFileSync(join(folder, 'ca.pem'), ca.certificatePem);
  writeFileSync(
    file,
    `home: home
domain: example.com
region: aws-test
gateway: { grpc: { address: '127.0.0.1:0' }, certificateFile: server.pem, keyFile: server.key }
namespaces: [{ id: orders.acme1, caFile: ca.pem }]
`,
  );
  const judge = async (certificatePem: string, key: string): Promise<readonly string[]> => {
    writeFileSync(join(folder, 'server.pem'), certificatePem);
    writeFileSync(join(folder, 'server.key'), key, { mode: 0o600 });
    return (await diagnoseConfig(() => loadConfig(file, {}))).map(({ level, text }) => `${level}: ${text}`);
  };
  const usable = 'ok: the configuration can be used';
  assert.deepEqual(await judge(right.certificatePem, right.privateKeyPem), [usable]);
  assert.deepEqual(await judge(wrong.certificatePem, wrong.privateKeyPem), [
    usable,
    'warning: the server certificate does not stand for orders.acme1.example.com: its clients refuse it',
  ]);
  assert.match(
    (await judge(right.certificatePem, wrong.privateKeyPem)).join(),
    /^problem: gateway\.keyFile: .* is not the key of/,
  );
});
