import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { openAuditSigningKey } from '#core/audit/audit-signing-key';
import { openAuditWriter } from '#core/audit/audit-writer';
import { openAuditDataKeys } from '#core/audit/fields/audit-data-keys';
import { diagnoseHome } from './diagnose-home.ts';
import { describeEndpoint, writeEndpointFile } from './endpoint-file.ts';
import { homeAt, namespaceFiles } from './home.ts';
import { ensureClientCertificate, ensureServerCertificate } from './home-certificates.ts';

const root = mkdtempSync(join(tmpdir(), 'gatehouse-doctor-'));
const home = homeAt(join(root, 'home'));
const ID = 'default.local';
const DAY_MS = 86_400_000;

/** A home as `up` leaves it, without an engine. */
before(async () => {
  const nowMs = Date.now();
  await ensureServerCertificate(home, { account: 'local', domain: 'gatehouse.localhost' }, nowMs);
  await ensureClientCertificate(home, ID, nowMs);
  const kms = await openLocalKms(home.kmsKeyFile);
  const signingKey = await openAuditSigningKey(home.auditKeyFile, kms);
  const parts = { clock: systemClock, log: silentLog };
  const dataKeys = await openAuditDataKeys({ ...parts, folder: home.auditDataKeys, kms });
  const audit = await openAuditWriter({ ...parts, folder: home.audit, signingKey, dataKeys });
  await audit.close();
  const facts = {
    account: 'local',
    domain: 'gatehouse.localhost',
    region: 'aws-local',
    grpc: '127.0.0.1:1',
    https: null,
  };
  await writeEndpointFile(home, describeEndpoint({ ...facts, home, namespaceIds: [ID] }));
});

after(() => rmSync(root, { recursive: true, force: true }));

/** A folder for PATH with one program. */
function program(name: string, says: string): string {
  const folder = join(root, `bin-${name}-${says.replaceAll(/\W/g, '')}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\necho '${says}'\n`);
  chmodSync(join(folder, name), 0o755);
  return folder;
}

async function findings(path: string, days = 0): Promise<readonly string[]> {
  const clock = { now: () => Date.now() + days * DAY_MS, monotonicMs: () => 0 };
  const found = await diagnoseHome(home.root, { path, cacheFolder: join(root, 'cache') }, clock);
  return found.map(({ level, text, cure }) => `${level}: ${text}${cure === undefined ? '' : ` -> ${cure}`}`);
}

const GOOD = program('temporal-server', 'temporal version 1.31.2');

test('a home that is well is told in a few lines, with the engine of the next start', async () => {
  const found = await findings(GOOD);
  assert.deepEqual(
    found.map((line) => line.replace(/\d+\.\d GiB/, 'N GiB').replace(/\d+ days/, 'N days')),
    [
      `ok: ${home.root} is for this user only`,
      'ok: 6 keys are readable by this user only',
      'ok: the server certificate is good for N days',
      `ok: the client certificate of ${ID} is good for N days`,
      'ok: the audit chain verifies',
      'ok: N GiB of disk are free',
      `ok: the engine is Temporal Server 1.31.2, ${join(GOOD, 'temporal-server')}`,
      'ok: the engine is not running',
    ],
  );
});

test('what is open to others, expiring, expired or damaged is told with its cure', async () => {
  const { clientKey } = namespaceFiles(home, ID);
  chmodSync(home.kmsKeyFile, 0o640);
  chmodSync(home.root, 0o755);
  const found = await findings(GOOD, 80);
  assert.ok(found.includes(`problem: ${home.root} can be entered by other users -> chmod 700 ${home.root}`));
  assert.ok(
    found.includes(`problem: ${home.kmsKeyFile} can be read by other users -> chmod 600 ${home.kmsKeyFile}`),
  );
  assert.match(
    found.join('\n'),
    /warning: the server certificate is good for \d days only -> start again: it is renewed/,
  );
  assert.match(
    (await findings(GOOD, 100)).join('\n'),
    /problem: the server certificate has expired -> start again/,
  );
  chmodSync(home.kmsKeyFile, 0o600);
  chmodSync(home.root, 0o700);
  writeFileSync(clientKey, 'damaged');
  assert.match(
    (await findings(GOOD)).join('\n'),
    /problem: the client certificate of .* cannot be used: it or its key is damaged/,
  );
  rmSync(clientKey);
  assert.match(
    (await findings(GOOD)).join('\n'),
    /warning: .*client\.key is missing -> the next start makes it anew/,
  );
});

test('T-098 an engine with a known advisory is told with its number, and what the next start does instead', async () => {
  const found = (await findings(program('temporal-server', 'temporal version 1.29.1'))).join('\n');
  assert.match(
    found,
    /warning: .*temporal-server is not used: Temporal Server 1\.29\.1 is not supported.*(CVE|GHSA)-/,
  );
  assert.match(found, /problem: there is no engine, and no Go to build it with -> put temporal-server/);
  const withGo = (await findings(program('go', 'x'))).join('\n');
  assert.match(withGo, /warning: there is no engine yet: the next start builds it with .*\/go, once/);
});

test('a chain that was changed is told', async () => {
  writeFileSync(join(home.audit, '00000001.jsonl'), '{"seq":1}\n{"seq":2}\n');
  assert.match(
    (await findings(GOOD)).join('\n'),
    /problem: the audit chain does not verify -> run `gatehouse audit verify`/,
  );
});
