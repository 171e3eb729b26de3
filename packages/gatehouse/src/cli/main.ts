#!/usr/bin/env -S node --disable-sigusr1 --max-semi-space-size=64
import { Command, CommanderError } from 'commander';
import { ConfigError } from '#base/config/config-error';
import { Refusal } from '#base/model/refusals';
import { hardenProcess, requireNoDebugger } from './harden-process.ts';
import { Interrupted } from './until-stopped.ts';
import { readVersion } from './version.ts';

/** Exit codes: 0 success, 1 failure, 2 wrong usage. */
const FAILURE = 1;
const WRONG_USAGE = 2;
const HINT = '(add --help for the options)';

/** Each loads what it runs on use: `--help` must not open a database driver. */
async function commands(): Promise<Command[]> {
  const [
    { upCommand },
    { serveCommand },
    { certCommand },
    { auditCommand },
    { codecServerCommand },
    { keysCommand },
    { doctorCommand },
    { completionCommand },
    { gatewayProcessCommand },
  ] = await Promise.all([
    import('./commands/up.ts'),
    import('./commands/serve.ts'),
    import('./commands/cert.ts'),
    import('./commands/audit.ts'),
    import('./commands/codec-server.ts'),
    import('./commands/keys.ts'),
    import('./commands/doctor.ts'),
    import('./commands/completion.ts'),
    import('./commands/gateway-process.ts'),
  ]);
  return [
    upCommand(),
    serveCommand(),
    certCommand(),
    auditCommand(),
    codecServerCommand(),
    keysCommand(),
    doctorCommand(),
    completionCommand(),
    gatewayProcessCommand(),
  ];
}

/** Of the commands that only have commands; those have their own. */
const GROUP_EXAMPLES: Readonly<Record<string, string>> = {
  cert: `
Examples:
  $ gatehouse cert ca --org acme -d 1y --ca-cert ca.pem --ca-key ca.key
  $ gatehouse cert leaf --help`,
  audit: `
Examples:
  $ gatehouse audit verify
  $ gatehouse audit search --since 1h --namespace orders.acme1`,
  keys: `
Examples:
  $ gatehouse keys list
  $ gatehouse keys rotate --namespace orders.acme1
  $ gatehouse keys destroy --help`,
};

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await runProgram(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
    process.stderr.write(`gatehouse: ${describe(error)}\n`);
    if (error instanceof Interrupted) return error.exitCode;
    return error instanceof ConfigError ? WRONG_USAGE : FAILURE;
  }
}

async function runProgram(argv: readonly string[]): Promise<number> {
  hardenProcess({ environment: process.env, options: process.execArgv });
  const program = new Command('gatehouse')
    .description('The security model of Temporal Cloud, in front of any Temporal cluster.')
    .version(readVersion(), '-V, --version', 'print the version')
    .showHelpAfterError(HINT)
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  gatehouse up                         run everything on this machine
  gatehouse up --namespace orders      with one more namespace
  gatehouse cert ca --org acme -d 1y --ca-cert ca.pem --ca-key ca.key
  gatehouse doctor                     tell what is wrong and how to mend it`,
    );
  for (const command of await commands())
    program.addCommand(prepare(command), { hidden: command.name() === 'gateway-process' });
  requireNoDebugger();
  await program.parseAsync(argv);
  return typeof process.exitCode === 'number' ? process.exitCode : 0;
}

function prepare(command: Command): Command {
  command.exitOverride().showHelpAfterError(HINT);
  const examples = GROUP_EXAMPLES[command.name()];
  if (examples !== undefined) command.addHelpText('after', examples);
  for (const child of command.commands) prepare(child);
  return command;
}

/** One plain sentence; refusals have a public one, others their message. */
function describe(error: unknown): string {
  if (error instanceof Refusal)
    return error.detail === undefined ? error.message : `${error.message} (${error.detail})`;
  return error instanceof Error ? error.message : String(error);
}

for (const stream of [process.stdout, process.stderr]) {
  // Whoever read our output has gone (`| head -1`): nothing to tell any more, and no reason to end.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
process.exitCode = await main(process.argv);
