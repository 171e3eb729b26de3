import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode, openRawClient, WORKFLOW_SERVICE } from './grpc-client.ts';
import type { House } from './house.ts';

/** Requests that the engine's frontend has counted, by what `counterOf` gives. */
export type EngineCounts = ReadonlyMap<string, number>;

/** The engine's own view of what reached it, from the metrics that it serves on the loopback. */
export interface EngineWatch {
  /**
   * Runs an attack. Afterwards the engine must have seen exactly these requests since the last `saw`,
   * `sawNothing` or `settle`: so whatever else reaches the engine is followed by `settle`.
   */
  saw(expected: Readonly<Record<string, number>>, attack: () => Promise<void>): Promise<void>;
  sawNothing(attack: () => Promise<void>): Promise<void>;
  /** Takes the counts as they are: after a test's own preparations. */
  settle(): Promise<void>;
  /** Waits until this was counted at least once since then: a long poll is parked. */
  waitFor(key: string): Promise<void>;
  close(): void;
}

/** The engine writes its counters out once a second. */
const WAIT_MS = 8000;
const LOOK_MS = 50;
const WRITING_MS = 100;
/** Used by no attack: when it is counted, everything before it is counted too. */
const MARKER = 'CountSchedules';

/** The counter of one method and namespace. The engine writes `_` for what its metrics do not take. */
export function counterOf(operation: string, namespaceId: string): string {
  return `${operation} ${namespaceId.replace(/[^A-Za-z0-9_]/g, '_')}`;
}

/** Watches the engine of a house. @param namespaceId a namespace of the home, for calls of the watch's own. */
export async function openEngineWatch(house: House, namespaceId = 'default.local'): Promise<EngineWatch> {
  const portsText = await readFile(join(house.home, 'engine', 'ports.json'), 'utf8');
  const { metrics } = JSON.parse(portsText) as { readonly metrics: number };
  const client = openRawClient({
    endpoint: house.endpoint,
    certificateOf: namespaceId,
    serverName: `${namespaceId}.${house.endpoint.domain}`,
  });
  const marker = counterOf(MARKER, namespaceId);

  let marks = 0;
  const until = async (counted: (counts: EngineCounts) => boolean): Promise<EngineCounts> => {
    const endsAt = performance.now() + WAIT_MS;
    for (;;) {
      const counts = await readCounts(metrics);
      if (counted(counts)) return counts;
      assert.ok(performance.now() < endsAt, 'the engine never counted a call that reached it');
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  };
  const countAll = async (): Promise<EngineCounts> => {
    const answer = await client.call(
      WORKFLOW_SERVICE + MARKER,
      encode('workflowservice.v1.CountSchedulesRequest', {}),
    );
    assert.equal(answer.status, 0, `the watch's own call failed: ${answer.message} ${answer.failure}`);
    marks += 1;
    await until((counts) => (counts.get(marker) ?? 0) >= marks);
    // The marker may have been read in the middle of a writing, which takes a few milliseconds.
    await new Promise((resolve) => setTimeout(resolve, WRITING_MS));
    return await readCounts(metrics);
  };
  let before = await countAll();

  const saw: EngineWatch['saw'] = async (expected, attack) => {
    try {
      await attack();
    } catch (error) {
      // What this attack did must not be counted against the next.
      before = await countAll();
      throw error;
    }
    const after = await countAll();
    const seen: Record<string, number> = {};
    for (const [key, count] of after) {
      const more = count - (before.get(key) ?? 0);
      if (more !== 0 && key !== marker) seen[key] = more;
    }
    before = after;
    const wanted = Object.fromEntries(Object.entries(expected).filter(([, count]) => count > 0));
    assert.deepEqual(seen, wanted, 'what the engine saw');
  };
  return {
    saw,
    sawNothing: (attack) => saw({}, attack),
    async settle() {
      before = await countAll();
    },
    async waitFor(key) {
      await until((counts) => (counts.get(key) ?? 0) > (before.get(key) ?? 0));
    },
    close: () => client.close(),
  };
}

const LINE = /^service_requests\{namespace="([^"]*)",operation="([^"]*)",service_name="frontend"\} (\d+)$/gm;

async function readCounts(port: number): Promise<EngineCounts> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, namespace, operation, count] of text.matchAll(LINE)) {
    counts.set(`${operation} ${namespace}`, Number(count));
  }
  return counts;
}
