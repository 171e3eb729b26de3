import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { listListeningSockets } from '../../packages/gatehouse/src/core/engine/listening-sockets.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { type Canary, leaksIn } from './leak-search.ts';

type Environment = Readonly<Record<string, string>>;

/** Commands that a test runs where secrets are. */
export interface Runs {
  run(args: readonly string[], environment?: Environment): GatehouseProcess;
  /** Runs a command that must fail, and says where a canary was seen in what it printed. */
  failing(
    args: readonly string[],
    canaries: readonly Canary[],
    expected: RegExp,
    environment?: Environment,
  ): Promise<readonly string[]>;
  /** Ends all of them, and waits for what they started on these folders. */
  close(...folders: readonly string[]): Promise<void>;
}

export function openRuns(): Runs {
  const started: GatehouseProcess[] = [];
  const run: Runs['run'] = (args, environment) => {
    const process_ = startGatehouse(args, environment);
    started.push(process_);
    return process_;
  };
  return {
    run,
    async failing(args, canaries, expected, environment) {
      const process_ = run(args, environment);
      const code = await process_.ended;
      const printed = process_.stdout() + process_.stderr();
      const leaks = leaksIn(args.join(' '), printed, canaries);
      // A leak first: a message that does not match would be printed whole.
      if (leaks.length === 0) {
        assert.ok(code === 1 || code === 2, printed);
        assert.match(printed, expected);
      }
      return leaks;
    },
    async close(...folders) {
      for (const { child, ended } of started) {
        child.kill('SIGKILL');
        await ended;
      }
      await until('no process left', () => folders.flatMap(processesOf).length === 0, 15_000);
    },
  };
}

/** Twenty signals later everything is as it was: SIGUSR1 would make Node open a debugger. */
export async function assertClosed(
  pid: number | undefined,
  folder: string,
  ask: () => Promise<number>,
): Promise<void> {
  assert.ok(pid !== undefined);
  const listeners = await listListeningSockets(pid);
  assert.ok(listeners !== undefined && listeners.length > 0);
  for (let round = 0; round < 20; round += 1) process.kill(pid, 'SIGUSR1');
  assert.equal(await ask(), 0, 'it still serves');
  const pending = /^ShdPnd:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  assert.equal(Number(pending), 0, 'every signal was taken');
  assert.deepEqual(await listListeningSockets(pid), listeners);
  const pids = processesOf(folder);
  assert.ok(pids.includes(pid) && pids.length >= 3, 'the platform, the guard and the engine');
  for (const one of pids)
    assert.equal(readFileSync(`/proc/${one}/coredump_filter`, 'utf8').trim(), '00000000', String(one));
}
