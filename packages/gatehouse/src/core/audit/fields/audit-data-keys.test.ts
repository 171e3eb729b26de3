import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Kms } from '#base/crypto/kms';
import { openLocalKms } from '#base/crypto/local-kms';
import { createLog, silentLog } from '#base/runtime/log';
import { type AuditDataKeysOptions, openAuditDataKeys } from './audit-data-keys.ts';
import { boundsOf, parsePeriod, periodOf } from './audit-period.ts';
import { eraseDataKey, listDataKeys } from './data-key-files.ts';

const NOVEMBER = Date.UTC(2026, 10, 24);
const MONTH = 31 * 86_400_000;

async function place(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 'gatehouse-audit-keys-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const time = { ms: NOVEMBER, monotonicMs: 0 };
  const kms = await openLocalKms(join(root, 'kms.key'));
  const folder = join(root, 'audit-data');
  const open = (changes: Partial<AuditDataKeysOptions> = {}) =>
    openAuditDataKeys({
      folder,
      kms,
      clock: { now: () => time.ms, monotonicMs: () => time.monotonicMs },
      log: silentLog,
      ...changes,
    });
  return { folder, kms, time, open };
}

test('the keys of this month and the next are made once, each in a sealed file of 0600 in 0700', async (t) => {
  const { folder, open } = await place(t);
  const first = (await open()).at(NOVEMBER);
  const again = (await open()).at(NOVEMBER);
  assert.equal(again.id, first.id);
  assert.ok(again.key.equals(first.key));
  assert.deepEqual(
    (await listDataKeys(folder)).map(({ period, state }) => [period, state]),
    [
      ['2026-11', 'there'],
      ['2026-12', 'there'],
    ],
  );
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
  }
});

test('the turn of the month needs no disk, and the month after it is made in the background', async (t) => {
  const { folder, time, open } = await place(t);
  const keys = await open();
  const november = keys.at(NOVEMBER);
  time.ms = november.untilMs;
  const december = keys.at(time.ms);
  assert.notEqual(december.id, november.id);
  assert.equal(december.fromMs, november.untilMs);
  await keys.close();
  assert.deepEqual(
    (await listDataKeys(folder)).map(({ period }) => period),
    ['2026-11', '2026-12', '2027-01'],
  );
});

test('a clock that leaps to a month without a key does not wait: the last key serves until it is made', async (t) => {
  const { time, open } = await place(t);
  const keys = await open();
  const { id } = keys.at(NOVEMBER);
  time.ms += 12 * MONTH;
  assert.equal(keys.at(time.ms).id, id);
  await keys.close();
  assert.notEqual(keys.at(time.ms).id, id);
  await keys.close();
  time.ms = NOVEMBER;
  keys.at(time.ms);
  await keys.close();
  assert.equal(keys.at(time.ms).id, id);
  await keys.close();
});

test('F-11 a key that cannot be made is told and tried again later; the last one serves', async (t) => {
  const { kms, time, open } = await place(t);
  const lines: string[] = [];
  let wraps = 0;
  const failing: Kms = {
    ...kms,
    wrap: (key, words) => {
      wraps += 1;
      return wraps > 2 && wraps < 5 ? Promise.reject(new Error('away')) : kms.wrap(key, words);
    },
  };
  const keys = await open({
    kms: failing,
    log: createLog({ level: 'warn', write: (line) => lines.push(line) }),
  });
  const { id } = keys.at(NOVEMBER);
  time.ms += 12 * MONTH;
  for (let call = 0; call < 5; call += 1) {
    assert.equal(keys.at(time.ms).id, id);
    await keys.close();
  }
  assert.equal(lines.length, 1);
  time.monotonicMs += 60_000;
  keys.at(time.ms);
  await keys.close();
  time.monotonicMs += 60_000;
  keys.at(time.ms);
  await keys.close();
  assert.notEqual(keys.at(time.ms).id, id);
  assert.equal(lines.length, 2);
  await keys.close();
});

test('two processes that open the keys at once write over none of each other', async (t) => {
  const { folder, open } = await place(t);
  const [one, two] = await Promise.all([open(), open()]);
  const ids = (await listDataKeys(folder)).map(({ id }) => id);
  assert.ok(ids.includes(one.at(NOVEMBER).id) && ids.includes(two.at(NOVEMBER).id));
});

test('a key file under the name of another month does not open, and the start says which file', async (t) => {
  const { folder, open } = await place(t);
  await open();
  const [november, december] = await listDataKeys(folder);
  const path = (period: string, id: string | undefined) => join(folder, `${period}-${id}.sealed`);
  await rm(path('2026-11', november?.id));
  await rename(path('2026-12', december?.id), path('2026-11', december?.id));
  await assert.rejects(open(), /sealed file .*2026-11.* was changed/);
});

test('an erased key is not used again: not after a crash half-way, not after a backup was put over it', async (t) => {
  const { folder, open } = await place(t);
  const { id } = (await open()).at(NOVEMBER);
  const backup = `${folder}-backup`;
  await cp(folder, backup, { recursive: true });
  for (const file of await listDataKeys(folder)) if (file.id === id) await eraseDataKey(folder, file);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes(id)),
    [`2026-11-${id}.erased`],
  );
  await cp(backup, folder, { recursive: true });
  assert.equal((await listDataKeys(folder)).find((file) => file.id === id)?.state, 'erasing');
  assert.notEqual((await open()).at(NOVEMBER).id, id);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes(id)),
    [`2026-11-${id}.erased`],
  );
});

test('a month is that of UTC, from its first millisecond to the next one’s', () => {
  assert.equal(periodOf(Date.UTC(2026, 11, 31, 23, 59, 59, 999)), '2026-12');
  assert.equal(periodOf(Date.UTC(2027, 0, 1)), '2027-01');
  assert.deepEqual(boundsOf('2026-12'), { fromMs: Date.UTC(2026, 11), untilMs: Date.UTC(2027, 0) });
  for (const text of ['2026-13', '2026-00', '2026-1', '26-11', '2026-11-01', '']) {
    assert.equal(parsePeriod(text), undefined);
  }
  assert.equal(parsePeriod('2026-02'), '2026-02');
});
