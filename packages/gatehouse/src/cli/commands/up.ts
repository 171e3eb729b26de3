import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { UpOptions } from '#app/up';
import { isNamespaceName } from '#base/model/namespace-id';
import { openLogFile } from '../log-file.ts';
import { defaultHome, machineOf } from '../machine.ts';
import { createProgress } from '../progress.ts';
import { listenForStop, type Stop } from '../until-stopped.ts';
import { describeUp } from '../up-summary.ts';
import { gatewayCommand } from './gateway-process.ts';

interface UpFlags {
  readonly home: string;
  readonly port?: number;
  readonly namespace: readonly string[];
  readonly processes: number;
  readonly once: boolean;
  readonly json: boolean;
}

/** How long running calls may take when `up` is stopped by hand. */
const DRAIN_MS = 5000;
/** Whatever still keeps the process after its end is cut off. */
const EXIT_MS = 3000;

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('a port is 0 to 65535');
  return value;
}

function namespaces(name: string, all: readonly string[]): readonly string[] {
  if (isNamespaceName(name)) return [...all, name];
  throw new InvalidArgumentError(
    'a namespace name is 2 to 39 of a-z, 0-9 and single hyphens, starting with a letter, without the account',
  );
}

function processes(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 64)
    throw new InvalidArgumentError('give 1 to 64 processes');
  return value;
}

function folder(text: string): string {
  if (text === '') throw new InvalidArgumentError('a folder needs a name');
  return text;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Run everything on this machine: Temporal Server, directory, record and gateway.')
    .option('--home <dir>', 'where all data is kept (or GATEHOUSE_HOME)', folder, defaultHome(process.env))
    .option('--port <port>', 'gRPC port of the gateway (7233; 0 for a free one)', port)
    .option('--namespace <name>', 'one more namespace besides `default`; may be repeated', namespaces, [])
    .option(
      '--processes <count>',
      'gateway processes that share the port, up to one for each core',
      processes,
      1,
    )
    .option(
      '--once',
      'run one real Worker and one Workflow through the gateway, print a JSON summary, and stop',
      false,
    )
    .option('--json', 'print endpoint.json on one line when ready', false)
    .addHelpText(
      'after',
      `
A later \`up\` on the same home keeps all data and all namespaces; Ctrl-C stops it.

Examples:
  gatehouse up
  gatehouse up --home /srv/gatehouse --port 7233 --namespace orders --namespace billing
  gatehouse up --once`,
    )
    .action((flags: UpFlags) => runUp(flags));
}

async function runUp(flags: UpFlags): Promise<void> {
  // Whatever any part writes is for this user alone.
  process.umask(0o077);
  const home = resolve(flags.home);
  const stop = listenForStop(process.env);
  const quiet = flags.json || flags.once;
  const say = (text: string): unknown => (quiet ? process.stderr : process.stdout).write(text);
  const progress = createProgress(say, stop);
  const step: UpOptions['step'] = (title, work) => progress.step(title, work);
  const started = performance.now();
  const { up } = await import('#app/up');
  const { log } = openLogFile(resolve(home, 'logs', 'gatehouse.log'), 'info');
  const running = await up({
    ...machineOf(process.env),
    home,
    port: flags.port,
    namespaces: flags.namespace,
    ...(flags.processes === 1 ? {} : { processes: { count: flags.processes, command: gatewayCommand() } }),
    log,
    step,
  });
  stop.started();
  // The fleet has said why where it could not.
  process.on('SIGUSR2', () => void running.platform.restartGateway(DRAIN_MS).catch(() => undefined));
  const readyMs = Math.round(performance.now() - started);
  try {
    if (flags.once) await proveOnce(running.endpoint, { readyMs, step, stop });
    else {
      process.stdout.write(
        flags.json ? `${JSON.stringify(running.endpoint)}\n` : describeUp(running.endpoint, home),
      );
      await stop.asked;
      say('\nStopping: running calls may finish …\n');
    }
  } finally {
    await running.stop(flags.once ? 500 : DRAIN_MS);
    if (!flags.once) say('Stopped.\n');
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}

async function proveOnce(
  endpoint: Parameters<typeof describeUp>[0],
  {
    readyMs,
    step,
    stop,
  }: { readonly readyMs: number; readonly step: UpOptions['step']; readonly stop: Stop },
): Promise<void> {
  const { runQuickstart } = await import('#app/quickstart');
  const stopped = new AbortController();
  void stop.asked.then(() => stopped.abort());
  const proof = await step('Running a Workflow on a real Worker', () =>
    runQuickstart(endpoint, stopped.signal),
  );
  process.stdout.write(`${JSON.stringify({ ok: true, readyMs, endpoint, proof })}\n`);
}
