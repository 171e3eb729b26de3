import { join } from 'node:path';
import { homeAt, namespaceFiles } from '../packages/gatehouse/src/app/home.ts';
import type { BenchRun } from './bench-run.ts';
import { findFreePort, startChild } from './child.ts';
import { fillChain } from './fill-chain.ts';
import { GATEHOUSE_FILE, GATEHOUSE_NODE_FLAGS } from './gatehouse.ts';
import { field } from './protobuf.ts';
import { hasRealEngine } from './real-engine.ts';
import { prepare } from './requests.ts';
import { inRounds } from './rounds.ts';
import { withSession } from './session.ts';
import { callUnary } from './unary.ts';

export const START_FIGURE = 'second up until the first call is answered';
export const MILLION = 'gateway, a million events';

const EVENTS = 1_000_000;
const NAMESPACE = 'default.local';
/** A clean end drains calls, then ends the engine. */
const STOP_MS_MAX = 30_000;

/** Seconds from the command to the first answer of the engine, on a home with little in its record and on one with much. */
export async function measureStart(run: BenchRun): Promise<void> {
  if (!run.starters.has('gateway')) return;
  if (!hasRealEngine()) {
    run.leaveOut('second up: no temporal-server in the cache');
    return;
  }
  const homes = [
    { name: 'gateway', home: run.newFolder() },
    { name: MILLION, home: run.newFolder() },
  ];
  for (const { name, home } of homes) {
    await upOnce(home);
    if (name === MILLION) await fillChain(home, EVENTS);
  }
  // Four starts in two rounds are a quarter of a minute, and they scatter little.
  await inRounds(homes, Math.min(2, run.options.rounds), async ({ name, home }) => {
    run.readings.add(START_FIGURE, 's', name, await upOnce(home));
  });
}

/** One `gatehouse up`, ended again. @returns seconds until a call was answered by the engine. */
async function upOnce(home: string): Promise<number> {
  const port = await findFreePort();
  const startedAt = performance.now();
  const child = await startChild({
    file: process.execPath,
    args: [...GATEHOUSE_NODE_FLAGS, GATEHOUSE_FILE, 'up', '--home', home, '--port', String(port), '--json'],
    logFile: `${home}.log`,
    isReady: () => answers(home, port),
    stopMsMax: STOP_MS_MAX,
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  await child.stop();
  return seconds;
}

/** Whether a call through the gateway reaches the engine and comes back OK. */
async function answers(root: string, port: number): Promise<boolean> {
  const home = homeAt(root);
  const { clientCert, clientKey } = namespaceFiles(home, NAMESPACE);
  const serverName = `${NAMESPACE}.gatehouse.localhost`;
  const caller = { serverName, namespace: NAMESPACE };
  const call = prepare(caller, 'DescribeNamespace', '5S', field(1, NAMESPACE));
  const ground = { port, serverName, certificateFile: clientCert, keyFile: clientKey };
  return withSession({ ...ground, caFile: join(root, 'ca.pem') }, (session) => callUnary(session, call)).then(
    () => true,
    () => false,
  );
}
