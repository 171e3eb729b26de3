import { unbindToken } from '../../packages/gatehouse/src/core/tokens/token-binding.ts';
import {
  type AttackSite,
  assertRefused,
  type ExpectedRefusal,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import type { RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';

export type Attack = () => Promise<RawAnswer>;

/** Every one of these is refused so, recorded once, and unseen by the engine. */
export async function refusesAll(
  site: AttackSite,
  expected: ExpectedRefusal,
  attacks: readonly Attack[],
): Promise<void> {
  await site.engine.settle();
  await site.engine.sawNothing(async () => {
    for (const attack of attacks) await assertRefused(site, await attack(), expected);
  });
}

/** The engine's own bytes inside a token that the gateway handed out. */
export function bareToken(
  site: AttackSite,
  namespaceId: string,
  bound: Uint8Array,
  kind: 'workflow-task' | 'activity-task',
): Uint8Array {
  const { directory } = site.house.up.platform;
  const namespaceUuid = directory.snapshot().namespaces.get(namespaceId)?.uuid ?? '';
  return unbindToken(directory.tokenKeys(), { namespaceUuid, kind, question: '' }, bound);
}
