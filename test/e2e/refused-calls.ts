import type { House } from '../../packages/gatehouse/src/testing/house.ts';

/** What may happen to a call of an honest client: it went well, the engine said no, or the client gave up. */
const harmless: ReadonlySet<unknown> = new Set(['ok', 'engine_error', 'cancelled']);

/** Calls and connections, recorded since `from`, that the gateway itself turned down; empty for honest clients. */
export async function refusedCalls(house: House, from = 0): Promise<readonly RefusedCall[]> {
  const events = await house.events();
  return events
    .slice(from)
    .filter((it) => it['kind'] === 'call' || it['kind'] === 'connection')
    .filter((it) => !harmless.has(it['reason']))
    .map(({ method, reason, detail }) => ({ method, reason, detail }));
}

export type RefusedCall = Readonly<Record<'method' | 'reason' | 'detail', string | number | undefined>>;
