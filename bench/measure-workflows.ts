import type { BenchRun } from './bench-run.ts';
import { NAMESPACE } from './certificates.ts';
import { type StorageName, startStorage } from './engine-databases.ts';
import { cpuUsOf } from './measure.ts';
import { hasRealEngine, type RealEngine, startRealEngine } from './real-engine.ts';
import { inRounds } from './rounds.ts';
import { type Subject, startDirect } from './subject.ts';

/** Workflows in flight: the engine fires a timer up to a second late, and must not be idle meanwhile. */
const AT_ONCE = 16;

/** Whole Workflows on a real engine, direct and through the gateway. */
export async function measureWorkflows(run: BenchRun, storage: StorageName): Promise<void> {
  if (!hasRealEngine()) {
    run.leaveOut('Workflows on the real engine: no temporal-server in the cache');
    return;
  }
  const database = await startStorage(storage);
  const ends = [database.stop];
  try {
    const engine = await startRealEngine(run.certificates, run.newFolder(), database.storage);
    ends.push(engine.stop);
    const subjects = await startWays(run, engine);
    ends.push(...subjects.map(({ stop }) => stop));
    await readWorkflows(run, subjects, engine, storage);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

/** The direct way, with a token of the bench's own, and the gateway where it is asked for. */
async function startWays(
  { certificates, newFolder, starters }: BenchRun,
  engine: RealEngine,
): Promise<Subject[]> {
  const folder = newFolder();
  const ground = { enginePort: engine.port, jwksPort: engine.gatewayJwksPort, certificates, folder };
  const direct = await startDirect(ground);
  const authorization = engine.keys.bearer(`${NAMESPACE}:write`);
  const gateway = await starters.get('gateway')?.(ground);
  const ways = [{ ...direct, target: { ...direct.target, authorization } }];
  return gateway === undefined ? ways : [...ways, gateway];
}

/** CPU of engine and proxy together per Workflow (start, activity, timer, signal, update), by way to the engine. */
async function readWorkflows(
  { load, options, readings }: BenchRun,
  subjects: readonly Subject[],
  engine: RealEngine,
  storage: StorageName,
): Promise<void> {
  for (const { target } of subjects) await load.workflows(target, options.workflows, AT_ONCE);
  // Half a minute per round: a quick run has one.
  await inRounds(subjects, options.quick ? 1 : options.rounds, async ({ target, pid }) => {
    const run = () => load.workflows(target, options.workflows, AT_ONCE);
    const { result: proxied, cpuUs: engineCpuUs } = await cpuUsOf(engine.pid, () =>
      pid === undefined ? run().then((result) => ({ result, cpuUs: 0 })) : cpuUsOf(pid, run),
    );
    const add = (figure: string, unit: string, value: number): void =>
      readings.add(`${figure}, ${storage}`, unit, target.name, value);
    const perWorkflow = (cpuUs: number): number => cpuUs / options.workflows / 1_000;
    add('CPU of the whole system per Workflow', 'ms', perWorkflow(engineCpuUs + proxied.cpuUs));
    add('of it in the engine', 'ms', perWorkflow(engineCpuUs));
    add('p50 of a Workflow', 'ms', proxied.result.p50Ms);
  });
}
