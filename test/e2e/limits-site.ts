import assert from 'node:assert/strict';
import type { ConnectionOptions } from 'node:tls';
import { defaultLimits, type NamespaceLimits } from '../../packages/gatehouse/src/base/model/limits.ts';
import type { NamespaceUse } from '../../packages/gatehouse/src/core/limits/use-report.ts';
import {
  type AttackSite,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import type { RawAnswer, RawClient } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';

/** Comes from an address of his own, 127.0.0.2. */
export const FLOODER = 'flooder.local';
export const TINY = 'tiny.local';
export const NEIGHBOUR = 'default.local';
export const RESOURCE_EXHAUSTED = 8;
/** What an address may have at once, and in every second after that. */
export const STORM = { burst: 100, perSecond: 50 };

/** A house with a flooder, and a neighbour who works on four connections of his own. */
export interface LimitsSite extends AttackSite {
  /** Other limits from the next call on. */
  limit(namespaceId: string, limits: Partial<NamespaceLimits>): Promise<void>;
  openFlooder(count: number): RawClient[];
  readonly neighbours: readonly RawClient[];
  useOf(namespaceId: string): NamespaceUse;
  /** The neighbour's steady work while an attack runs. @returns how many calls it made; every one must be served. */
  besideNeighbour(attack: () => Promise<void>): Promise<number>;
  /** Records of refusals for this reason, with what was folded into them. */
  recorded(namespaceId: string, reason: string): Promise<number>;
  /** Waits for so many of them. @throws AssertionError where there are more. */
  waitForRecords(namespaceId: string, reason: string, count: number): Promise<void>;
}

export async function startLimitsSite(): Promise<LimitsSite> {
  const { perSecond: connectionsPerSecond, burst: connectionsBurst } = STORM;
  const source = { connectionsPerSecond, connectionsBurst, pendingHandshakes: 500, tracked: 100 };
  const site = await startAttackSite(['flooder', 'tiny'], { limits: { ...defaultLimits, source } });
  const { house } = site;
  const credentialOf = (id: string) => homeCredential(house.endpoint, id);
  const neighbours = Array.from({ length: 4 }, () => site.open(NEIGHBOUR, credentialOf(NEIGHBOUR)));
  const recorded: LimitsSite['recorded'] = async (namespaceId, reason) => {
    const events = (await house.events()).filter(
      (event) => event['namespace'] === namespaceId && event['reason'] === reason,
    );
    return events.reduce((sum, event) => sum + Number(event['count']), 0);
  };
  return {
    ...site,
    neighbours,
    async limit(namespaceId, limits) {
      await house.up.platform.directory.write.setLimits(namespaceId, limits);
    },
    openFlooder: (count) =>
      Array.from({ length: count }, () => site.open(FLOODER, credentialOf(FLOODER), from('127.0.0.2'))),
    useOf(namespaceId) {
      const use = house.up.platform.gateway.use(namespaceId);
      assert.ok(use);
      return use;
    },
    besideNeighbour: (attack) => besideNeighbour(neighbours, attack),
    recorded,
    async waitForRecords(namespaceId, reason, count) {
      await until(
        `${count} records of ${reason}`,
        async () => (await recorded(namespaceId, reason)) >= count,
      );
      assert.equal(await recorded(namespaceId, reason), count);
    },
  };
}

async function besideNeighbour(
  neighbours: readonly RawClient[],
  attack: () => Promise<void>,
): Promise<number> {
  let isOver = false;
  let calls = 0;
  const work = neighbours.map(async (client) => {
    while (!isOver) {
      const answer = await describe(client, NEIGHBOUR);
      assert.equal(answer.status, 0, `the neighbour was refused: ${answer.message} ${answer.failure}`);
      calls += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  try {
    await attack();
  } finally {
    isOver = true;
    await Promise.all(work);
  }
  return calls;
}

/** Node's types of TLS options leave out those of the TCP connection below, which it takes too. */
export function from(localAddress: string): ConnectionOptions {
  return { localAddress } as ConnectionOptions;
}

/** The answer to a call that is refused by a limit, as SDKs understand it. */
export function assertExhausted(answer: RawAnswer, text: string, cause: string): void {
  assert.deepEqual(
    [answer.status, answer.message, answer.failure === '' || answer.failure === 'rst 0'],
    [RESOURCE_EXHAUSTED, text, true],
  );
  assert.equal(answer.headers['x-resource-exhausted-cause'], cause);
  assert.equal(answer.headers['x-resource-exhausted-scope'], 'NAMESPACE');
  assert.match(
    Buffer.from(String(answer.headers['grpc-status-details-bin']), 'base64').toString('latin1'),
    /temporal\.api\.errordetails\.v1\.ResourceExhaustedFailure/,
  );
}
