import { join } from 'node:path';
import { NAMESPACE } from './certificates.ts';
import { measureWorkflows } from './measure-workflows.ts';
import { hasRealEngine, startRealEngine } from './real-engine.ts';
import type { BenchRun } from './run-at-echo.ts';
import { type StartSubject, type Subject, startDirect } from './subject.ts';

/** Whole Workflows on a real engine, direct and through the gateway. SQLite only. */
export async function runAtEngine(run: BenchRun, gateway: StartSubject | undefined): Promise<void> {
  if (!hasRealEngine()) {
    run.skipped.push('Workflows on the real engine: no temporal-server in the cache');
    return;
  }
  run.say('Workflows on the real engine');
  const engine = await startRealEngine(run.certificates, join(run.folder, 'engine'));
  const subjects: Subject[] = [];
  try {
    const ground = {
      enginePort: engine.port,
      jwksPort: engine.gatewayJwksPort,
      certificates: run.certificates,
      folder: join(run.folder, 'real'),
    };
    const direct = await startDirect(ground);
    const authorization = engine.keys.bearer(`${NAMESPACE}:write`);
    subjects.push({ ...direct, target: { ...direct.target, authorization } });
    if (gateway !== undefined) subjects.push(await gateway(ground));
    await measureWorkflows(subjects, engine, run.load, run.options, run.readings);
  } finally {
    for (const subject of subjects) await subject.stop();
    await engine.stop();
  }
}
