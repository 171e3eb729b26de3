import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { runQuickstart } from '#app/quickstart';
import { up } from '#app/up';
import { openLogFile } from '../log-file.ts';
import { createProgress } from '../progress.ts';
import { describeUp } from '../up-summary.ts';
import { untilStopped } from '../until-stopped.ts';

interface UpFlags {
  readonly home: string;
  readonly port?: number;
  readonly namespace: readonly string[];
  readonly once: boolean;
  readonly json: boolean;
}

/** How long running calls may take when `up` is stopped by hand. */
const DRAIN_MS = 3000;

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('a port is 0 to 65535');
  return value;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Run everything on this machine: Temporal Server, directory, record and gateway.')
    .option('--home <dir>', 'where all data is kept (or GATEHOUSE_HOME)', process.env['GATEHOUSE_HOME'] ?? '.gatehouse')
    .option('--port <port>', 'gRPC port of the gateway (7233; 0 for a free one)', port)
    .option('--namespace <name>', 'one more namespace besides `default`; may be repeated', (name: string, all: readonly string[]) => [...all, name], [])
    .option('--once', 'run one real Worker and one Workflow through the gateway, print a JSON summary, and stop', false)
    .option('--json', 'print endpoint.json on one line when ready', false)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse up
  gatehouse up --home /srv/gatehouse --port 7233 --namespace orders --namespace billing
  gatehouse up --once`,
    )
    .action((flags: UpFlags) => runUp(flags));
}

async function runUp(flags: UpFlags): Promise<void> {
  const home = resolve(flags.home);
  const quiet = flags.json || flags.once;
  const progress = createProgress((text) => (quiet ? process.stderr : process.stdout).write(text));
  const stopped = untilStopped();
  const started = performance.now();
  const running = await up({
    home,
    port: flags.port,
    namespaces: flags.namespace,
    log: openLogFile(resolve(home, 'logs', 'gatehouse.log'), 'info'),
    path: process.env['PATH'] ?? '',
    step: (title, work) => progress.step(title, work),
  });
  const readyMs = Math.round(performance.now() - started);
  try {
    if (flags.once) {
      const proof = await progress.step('Running a Workflow on a real Worker', () => runQuickstart(running.endpoint));
      process.stdout.write(`${JSON.stringify({ ok: true, readyMs, endpoint: running.endpoint, proof })}\n`);
      return;
    }
    process.stdout.write(flags.json ? `${JSON.stringify(running.endpoint)}\n` : describeUp(running.endpoint, home));
    await stopped;
    if (!quiet) process.stdout.write('\nStopping: running calls may finish …\n');
  } finally {
    await running.stop(flags.once ? 500 : DRAIN_MS);
  }
}
