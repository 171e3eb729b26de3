import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { silentLog } from '#base/runtime/log';
import { openAuditDataKeys } from '#core/audit/fields/audit-data-keys';
import { eraseAudit } from './erase-audit.ts';
import { homeAt } from './home.ts';
import { openKeysHome } from './keys-fixture.test.ts';

const clockAt = (nowMs: number) => ({ now: () => nowMs, monotonicMs: () => 0 });
const NOVEMBER = clockAt(Date.UTC(2026, 10, 24));

test('the keys of the months before one are destroyed, those from then on stay, and the platform hears of it', async (t) => {
  const { root, words } = await openKeysHome(t);
  const { kmsKeyFile, auditDataKeys: folder } = homeAt(root);
  const kms = await openLocalKms(kmsKeyFile);
  for (const month of [8, 10]) {
    await openAuditDataKeys({ folder, kms, clock: clockAt(Date.UTC(2026, month, 1)), log: silentLog });
  }
  await words();
  const erase = (before: string) => eraseAudit({ home: root }, before, NOVEMBER, silentLog);
  assert.deepEqual(await erase('2026-11'), ['2026-09', '2026-10']);
  const suffixes = (await readdir(folder)).sort().map((name) => name.replace(/-[0-9a-f]{16}/, ''));
  assert.deepEqual(suffixes, ['2026-09.erased', '2026-10.erased', '2026-11.sealed', '2026-12.sealed']);
  assert.deepEqual(
    (await words()).map(({ actor, method, detail }) => [actor, method, detail]),
    [['operator:command', 'audit.erase', '2 keys, from 2026-09 to 2026-10']],
  );
  assert.deepEqual(await erase('2026-11'), []);
  assert.deepEqual(await words(), []);
});

test('a month that is not over is not erased', async (t) => {
  const { root } = await openKeysHome(t);
  await assert.rejects(
    eraseAudit({ home: root }, '2026-12', NOVEMBER, silentLog),
    /2026-11 is not over: erase before 2026-11/,
  );
});
