import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { type AuditPeriod, periodOf } from '#core/audit/fields/audit-period';
import { eraseDataKey, listDataKeys } from '#core/audit/fields/data-key-files';
import { homeAt } from './home.ts';
import { type KeysPlace, openKeysPlace } from './keys-place.ts';

/**
 * Destroys the keys of what is personal in the audit chain, for all months before one. The chain stays as it is
 * and verifies; who was where in those months is gone, also from its copies. Leaves a word for the platform's
 * own chain first, so that no erasure goes unrecorded; repeat it where it throws.
 * @returns the months whose keys were destroyed.
 * @throws RangeError for a month that is not over: the running platform seals with its key.
 */
export async function eraseAudit(
  place: KeysPlace,
  before: AuditPeriod,
  clock: Clock,
  log: Log,
): Promise<readonly AuditPeriod[]> {
  const now = periodOf(clock.now());
  if (before > now) throw new RangeError(`${now} is not over: erase before ${now} or an earlier month`);
  const { auditDataKeys: folder } = homeAt('config' in place ? place.config.home : place.home);
  const open = await openKeysPlace(place, log);
  try {
    const files = (await listDataKeys(folder)).filter(
      ({ period, state }) => period < before && state !== 'erased',
    );
    const periods = [...new Set(files.map(({ period }) => period))];
    if (files.length === 0) return periods;
    await open.directory.write.leaveWord({
      actor: 'operator:command',
      method: 'audit.erase',
      namespace: '',
      outcome: 'ok',
      detail: `${files.length} keys, from ${periods[0]} to ${periods.at(-1)}`,
    });
    for (const file of files) await eraseDataKey(folder, file);
    return periods;
  } finally {
    await open.close();
  }
}
