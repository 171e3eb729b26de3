import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { openLocalKms } from '../../packages/gatehouse/src/base/crypto/local-kms.ts';
import { readSealedFile, writeSealedFile } from '../../packages/gatehouse/src/base/crypto/sealed-file.ts';
import { migrations } from '../../packages/gatehouse/src/base/store/database/migrations.ts';
import { readSealedCopy } from '../../packages/gatehouse/src/base/store/sealed-copy.ts';
import { GENESIS_HASH } from '../../packages/gatehouse/src/core/audit/chain.ts';
import { FORMAT, headerLine } from '../../packages/gatehouse/src/core/audit/marker-lines.ts';
import { ask, type FaultSite, makeFaultSite, startWorkflow } from './fault-site.ts';

let place: FaultSite;

before(async () => {
  place = await makeFaultSite();
  const running = await place.serve();
  assert.equal((await startWorkflow(running.open(), 'from-before')).status, 0);
  await running.stop();
});
after(() => place?.close());

function change(...statements: string[]): void {
  const database = new DatabaseSync(place.database);
  for (const statement of statements) database.exec(statement);
  database.close();
}

/** Of every file in a folder. */
function digests(folder: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}

async function works(): Promise<void> {
  const running = await place.serve();
  const client = running.open();
  const found = await ask(client, 'DescribeWorkflowExecution', { execution: { workflowId: 'from-before' } });
  assert.equal(found.status, 0, found.message);
  assert.equal((await startWorkflow(client, `after-${performance.now()}`)).status, 0);
  await running.stop();
}

test('F-23 a directory of a newer version is refused in words, left as it is, and works again with its own version', async () => {
  const next = migrations.length + 1;
  change(
    `insert into directory_migrations (version, name, applied_at_ms) values (${next}, 'from the future', 0)`,
  );
  const { exitCode, words } = await place.refusedStart();
  assert.notEqual(exitCode, 0);
  assert.match(words, new RegExp(`schema version ${next}.*knows up to ${next - 1}: upgrade Gatehouse`));
  assert.doesNotMatch(words, /\n {4}at /);
  change(`delete from directory_migrations where version = ${next}`);
  await works();
});

test('F-23 a directory of the version before is brought up to date, with its namespaces and keys', async () => {
  change(
    'alter table namespaces drop column nexus_peers',
    'delete from directory_migrations where version >= 4',
  );
  await works();
  const database = new DatabaseSync(place.database, { readOnly: true });
  const marks = database.prepare('select version from directory_migrations order by version').all();
  database.close();
  assert.deepEqual(
    marks.map(({ version }) => version),
    migrations.map((_, index) => index + 1),
  );
});

test('F-23 an audit chain of a newer format is refused in words, and not a byte of it is changed', async () => {
  const [kept, folder] = [`${place.audit}.kept`, place.audit];
  renameSync(folder, kept);
  mkdirSync(folder, { mode: 0o700 });
  const [segment = ''] = readdirSync(kept).filter((name) =>
    readFileSync(join(kept, name), 'utf8').startsWith('{"seq":0'),
  );
  const newer = {
    format: FORMAT + 1,
    chain: 'from the future',
    segment: 1,
    timeMs: Date.now(),
    keyId: 'any',
  };
  const { line } = headerLine({ seq: 0, hash: GENESIS_HASH }, newer);
  writeFileSync(join(folder, segment), `${line.trimEnd()}\n`, { mode: 0o600 });
  const before = digests(folder);
  const { exitCode, words } = await place.refusedStart();
  assert.notEqual(exitCode, 0);
  assert.match(words, new RegExp(`format ${FORMAT + 1} is not known here`));
  assert.deepEqual(digests(folder)[segment], before[segment]);
  rmSync(folder, { recursive: true });
  renameSync(kept, folder);
  await works();
});

test('F-23 a sealed copy of a newer format is not read, in words', async () => {
  const kms = await openLocalKms(join(place.site.home, 'keys', 'local-kms.key'));
  const path = join(place.site.home, 'directory', 'copy.sealed');
  const now = await readSealedFile(path, kms, 'directory-copy');
  assert.ok(now !== undefined);
  const { format, ...rest }: { format: number } = JSON.parse(now.toString('utf8'));
  const other = join(place.site.folder, 'newer.sealed');
  await writeSealedFile(
    other,
    kms,
    'directory-copy',
    Buffer.from(JSON.stringify({ ...rest, format: format + 1 })),
  );
  await assert.rejects(readSealedCopy(other, kms), /is of another version of Gatehouse/);
  assert.ok((await readSealedCopy(path, kms))?.image.namespaces.size === 1);
});
