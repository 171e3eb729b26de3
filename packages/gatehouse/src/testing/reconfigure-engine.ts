import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { engineHome } from '#core/engine/engine-home';
import { encode, openRawClient, WORKFLOW_SERVICE } from './grpc-client.ts';
import type { House } from './house.ts';

/** What an operator of an engine of one's own might have configured, and the platform never would. */
export interface EngineChanges {
  /** Keys at the top level of the engine's file, in place of ours. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Dynamic configuration, beside ours or in its place. */
  readonly dynamic?: Readonly<Record<string, boolean | number | string>>;
}

/** A restart takes a few seconds, more on a busy machine. */
const WAIT_MS = 60_000;
const LOOK_MS = 50;

/**
 * Changes the files of a house's engine and starts it again with them: they are written once for each house, so its
 * restarts keep the change. Settles when the gateway takes calls again.
 */
export async function reconfigureEngine(house: House, changes: EngineChanges): Promise<void> {
  const { configFile, dynamicConfigFile } = engineHome(house.home);
  const dynamic = Object.entries(changes.dynamic ?? {}).map(([key, value]) => [key, [{ value }]] as const);
  await mergeYaml(dynamicConfigFile, Object.fromEntries(dynamic));
  await mergeYaml(configFile, changes.config ?? {});
  const { engine } = house.up.platform;
  const before = engine.pid;
  if (before === undefined) throw new Error('this house has no engine that runs');
  process.kill(before, 'SIGTERM');
  const isBack = (): boolean =>
    engine.state() === 'ready' && engine.pid !== undefined && engine.pid !== before;
  await until(async () => isBack() && (await isServed(house)));
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + WAIT_MS; performance.now() < endsAt; ) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error('the engine did not come back with its new configuration');
}

/** The gateway has connections of its own, which it must have found to be gone. */
async function isServed({ endpoint }: House): Promise<boolean> {
  const [namespace] = endpoint.namespaces;
  if (namespace === undefined) throw new Error('this house has no namespace');
  const client = openRawClient({ endpoint, certificateOf: namespace.id, serverName: namespace.host });
  const request = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: namespace.id });
  const { status } = await client.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request);
  client.close();
  return status === 0;
}

async function mergeYaml(file: string, more: Readonly<Record<string, unknown>>): Promise<void> {
  const before: unknown = parse(await readFile(file, 'utf8'));
  if (typeof before !== 'object') throw new Error(`${file} holds no keys`);
  await writeFileAtomic(
    file,
    stringify({ ...before, ...more }, { lineWidth: 0, aliasDuplicateObjects: false }),
  );
}
