import {
  prepareWorker,
  type WorkerCommand,
  type WorkerLanguage,
  workerLanguages,
} from '../parts/sdk-workers.ts';
import {
  startWorkerProcess,
  type WorkerOutcome,
  type WorkerProcess,
  type WorkerTarget,
} from '../parts/worker-process.ts';

/** A Worker in each of the four languages, each on a task queue of its own, and starters that come and go. */
export interface Fleet {
  readonly taskQueues: readonly string[];
  /** Puts another Worker, that connects like this, beside each and then stops the older one: nothing is unserved. */
  roll(target: WorkerTarget): Promise<void>;
  /** `count` Workflows started by the SDK of one language, run by the Worker of the next. */
  start(language: WorkerLanguage, target: WorkerTarget, count: number): Promise<WorkerOutcome>;
  /** How the Workers ended that were stopped so far, and those that ended by themselves. */
  readonly faults: readonly string[];
  stop(): Promise<void>;
  kill(): void;
}

function taskQueueOf(language: WorkerLanguage): string {
  return `soak-${language}`;
}

export async function startFleet(target: WorkerTarget): Promise<Fleet> {
  const programs = new Map<WorkerLanguage, WorkerCommand>();
  for (const language of workerLanguages) programs.set(language, await prepareWorker(language));
  const workers = new Map<WorkerLanguage, WorkerProcess>();
  const everybody = new Set<WorkerProcess>();
  const faults: string[] = [];

  const spawn = (
    language: WorkerLanguage,
    ...more: Parameters<typeof startWorkerProcess> extends [unknown, ...infer R] ? R : never
  ): WorkerProcess => {
    const program = programs.get(language);
    if (program === undefined) throw new Error(`no program in ${language}`);
    const worker = startWorkerProcess(program, ...more);
    everybody.add(worker);
    void worker.ended.then(() => everybody.delete(worker));
    return worker;
  };
  const launch = async (language: WorkerLanguage, at: WorkerTarget): Promise<void> => {
    const worker = spawn(language, at, { mode: 'worker', taskQueue: taskQueueOf(language) });
    await worker.line('ready');
    workers.set(language, worker);
  };
  const retire = async (language: WorkerLanguage, worker: WorkerProcess): Promise<void> => {
    const { ok, exitCode, lines, log } = await worker.stop();
    if (!ok) faults.push(`the ${language} Worker ended with ${exitCode}: ${JSON.stringify(lines)}\n${log}`);
  };
  for (const language of workerLanguages) await launch(language, target);
  return {
    taskQueues: workerLanguages.map(taskQueueOf),
    faults,
    async roll(next) {
      for (const language of workerLanguages) {
        const old = workers.get(language);
        await launch(language, next);
        if (old !== undefined) await retire(language, old);
      }
    },
    async start(language, at, count) {
      const next = workerLanguages[(workerLanguages.indexOf(language) + 1) % workerLanguages.length];
      const taskQueue = taskQueueOf(next ?? language);
      return await spawn(language, at, { mode: 'starter', taskQueue, count }).ended;
    },
    async stop() {
      for (const [language, worker] of workers) await retire(language, worker);
    },
    kill() {
      for (const { pid } of everybody) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    },
  };
}
