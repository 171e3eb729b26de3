import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '#base/runtime/log';
import { kmsConformance } from '#testing/kms-conformance';
import { openKms } from './open-kms.ts';

// A key in memory: it cannot go away, be disabled or lie, and a file holds one version.
kmsConformance('local', { outages: [], disablings: [], hasVersions: false, canLie: false }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-kms-'));
  const open = (name: string) => openKms({ kind: 'local', keyFile: join(folder, name) }, { log: silentLog });
  return {
    open: () => open('a.key'),
    openOther: () => open('b.key'),
    timeoutMs: 0,
    secrets: [],
    logLines: [],
    close: () => rm(folder, { recursive: true }),
  };
});
