/** A Worker and its Client in one process. MODE says what it is for: features, worker or starter. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerDeploymentOptions,
} from '@temporalio/worker';
import * as activities from './activities.ts';
import { bundleFile } from './bundle.ts';
import { loadDataConverter } from './data-converter.ts';
import { describeError, report } from './report.ts';
import { runFeatures } from './run-features.ts';
import { readSettings, required, type Settings } from './settings.ts';
import { startMany } from './starter.ts';

const sdk = 'typescript';

async function main(): Promise<boolean> {
  // Signals are answered here: by default the runtime would shut every Worker down on its own.
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN'),
    // Otherwise the native side writes its warnings into the report.
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
  const settings = readSettings(process.env);
  const mode = process.env['MODE'] || 'features';
  if (mode === 'features') return await features(settings);
  if (mode === 'worker') return await stay(settings, required(process.env, 'TASK_QUEUE'));
  if (mode === 'starter') return await start(settings);
  throw new Error(`MODE is features, worker or starter, not ${mode}`);
}

async function features(settings: Settings): Promise<boolean> {
  const prefix = `${sdk}-${randomUUID().slice(0, 8)}`;
  const { worker, connection: workerConnection } = await createWorker(settings, prefix);
  const { client, connection } = await openClient(settings);
  const running = worker.run();
  // A Worker that dies fails the features that wait for it; without a handler it would end the process first.
  running.catch((error) => report({ worker: 'died', error: describeError(error) }));
  const startVersioned = (deploymentName: string, buildId: string) =>
    startVersionedWorker(settings, deploymentName, buildId);
  const ok = await runFeatures({ client, prefix, startVersioned });
  if (worker.getState() === 'RUNNING') worker.shutdown();
  await running;
  await connection.close();
  await workerConnection.close();
  return ok;
}

async function stay(settings: Settings, taskQueue: string): Promise<boolean> {
  const { worker, connection } = await createWorker(settings, taskQueue);
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => worker.shutdown());
  const running = worker.run();
  report({ ready: true });
  await running;
  await connection.close();
  return true;
}

async function start(settings: Settings): Promise<boolean> {
  const { client, connection } = await openClient(settings);
  const taskQueue = required(process.env, 'TASK_QUEUE');
  const ok = await startMany(client, taskQueue, Number(process.env['COUNT'] || '1'));
  await connection.close();
  return ok;
}

async function connect({ address, tls }: Settings): Promise<Connection> {
  return await Connection.connect({ address, tls: tls ?? false, connectTimeout: '10s' });
}

async function openClient(settings: Settings) {
  const connection = await connect(settings);
  const dataConverter = await loadDataConverter(process.env);
  const client = new Client({
    connection,
    namespace: settings.namespace,
    ...(dataConverter && { dataConverter }),
  });
  return { client, connection };
}

async function startVersionedWorker(settings: Settings, deploymentName: string, buildId: string) {
  const { worker, connection } = await createWorker(settings, deploymentName, {
    version: { deploymentName, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'PINNED',
  });
  const running = worker.run();
  running.catch((error) => report({ worker: 'died', error: describeError(error) }));
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

async function createWorker(
  settings: Settings,
  taskQueue: string,
  workerDeploymentOptions?: WorkerDeploymentOptions,
) {
  const { address, tls, namespace } = settings;
  const dataConverter = await loadDataConverter(process.env);
  const connection = await NativeConnection.connect({ address, tls: tls ?? false });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    ...(workerDeploymentOptions && { workerDeploymentOptions }),
    // A failure converter becomes a part of the bundle.
    ...(dataConverter
      ? { dataConverter, workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)) }
      : { workflowBundle: { codePath: bundleFile } }),
    activities: {
      greet: activities.greet,
      tidy: activities.tidy,
      breakTwice: activities.breakTwice,
      beat: activities.beat,
    },
    maxHeartbeatThrottleInterval: '200ms',
    shutdownGraceTime: '1s',
    shutdownForceTime: '3s',
  });
  return { worker, connection };
}

try {
  const ok = await main();
  end({ ok });
} catch (error) {
  end({ ok: false, error: describeError(error) });
}

/** Ends at once: a feature that hangs does not hold the process. */
function end(outcome: { ok: boolean; error?: string }): never {
  report({ done: true, sdk, ...outcome });
  process.exit(outcome.ok ? 0 : 1);
}
