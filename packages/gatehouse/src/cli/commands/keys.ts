import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { Command, Option } from 'commander';
import type { KeysAdmin, NamespaceKeyList } from '#app/keys-admin';
import { loadConfig } from '#base/config/load-config';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal } from '#base/model/refusals';
import { createLog } from '#base/runtime/log';
import { defaultHome } from '../machine.ts';

/** Where the command writes, and how it says that it failed. A parameter for tests. */
export interface KeysCommandIo {
  readonly stdout: Pick<Writable, 'write'>;
  readonly stderr: Pick<Writable, 'write'>;
  setExitCode(code: number): void;
}

const processIo: KeysCommandIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  setExitCode: (code) => {
    process.exitCode = code;
  },
};

/** `gatehouse keys`: the keys that seal namespaces, beside a platform that runs or not. */
export function keysCommand(io: KeysCommandIo = processIo): Command {
  return new Command('keys')
    .description('List, rotate, wrap anew and destroy the keys that seal namespaces.')
    .addCommand(listCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(rewrapCommand(io))
    .addCommand(sealCommand(io))
    .addCommand(destroyCommand(io));
}

interface KeysFlags {
  readonly home: string;
  readonly config?: string;
  readonly namespace?: string;
  readonly all?: boolean;
  readonly output: 'json' | 'table';
}

function placed(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--home <dir>', 'the home that `up` made (or GATEHOUSE_HOME)', defaultHome(process.env))
    .option('--config <file>', 'the configuration of `serve` instead')
    .addOption(new Option('--output <form>', 'how to print').choices(['json', 'table']).default('table'));
}

function chosen(command: Command): Command {
  return command
    .option('--namespace <id>', 'this namespace')
    .addOption(new Option('--all', 'every namespace of the region').conflicts('namespace'));
}

function listCommand(io: KeysCommandIo): Command {
  return chosen(placed('list', 'show the keys of namespaces; of all where none is named'))
    .addHelpText(
      'after',
      `
The current keys seal; older ones open what they sealed.

Examples:
  $ gatehouse keys list
  $ gatehouse keys list --config /etc/gatehouse/gatehouse.yaml --namespace orders.acme1 --output json`,
    )
    .action((flags: KeysFlags) =>
      withKeys(io, flags, async (keys) => {
        const lists = keys.namespaces(flags.namespace).map((record) => keys.list(record));
        io.stdout.write(flags.output === 'json' ? listJson(lists) : listTable(lists, Date.now()));
      }),
    );
}

function rotateCommand(io: KeysCommandIo): Command {
  return chosen(placed('rotate', 'give namespaces a newer key; what the older ones sealed stays readable'))
    .option(
      '--attributes',
      'a newer key for sealed search attributes too: old values are found by = and IN only',
    )
    .addHelpText(
      'after',
      `
The running platform seals with the new key within a second.

Examples:
  $ gatehouse keys rotate --namespace orders.acme1
  $ gatehouse keys rotate --all`,
    )
    .action((flags: KeysFlags & { attributes?: boolean }, command: Command) =>
      eachNamespace(io, flags, command, async (keys, record) => {
        const done = await keys.rotate(record, flags.attributes === true);
        return done.length === 0 ? 'not sealed: nothing to rotate' : `new ${done.join(', new ')}`;
      }),
    );
}

function rewrapCommand(io: KeysCommandIo): Command {
  return chosen(placed('rewrap', 'wrap the keys of namespaces with the KMS key that is configured now'))
    .option('--again', 'also what that KMS key wrapped already, after it got a new version in its KMS')
    .addHelpText(
      'after',
      `
To change a KMS key: configure the new one, keep the old one under encryption.previousKms, restart, then run this. It
can be broken off and begun again; nothing that was sealed changes, and no call fails. Keep the old KMS key for 31
days more: the platform's token keys, which replace themselves every day, are wrapped by it too.

Examples:
  $ gatehouse keys rewrap --config /etc/gatehouse/gatehouse.yaml --all
  $ gatehouse keys rewrap --namespace orders.acme1 --again`,
    )
    .action((flags: KeysFlags & { again?: boolean }, command: Command) =>
      eachNamespace(io, flags, command, async (keys, record) => {
        const count = await keys.rewrap(record, flags.again === true);
        return count === 0 ? 'nothing to wrap anew' : `${count} keys wrapped anew`;
      }),
    );
}

function sealCommand(io: KeysCommandIo): Command {
  return chosen(placed('seal', 'end the migration window of namespaces (sealing: migrate becomes on)'))
    .addHelpText(
      'after',
      `
From then on what was stored before sealing is refused. Wait until the retention of the namespace has passed since
sealing began, and until no older Workflow is open. Where the configuration of \`serve\` says atRest: migrate, change
it to on; otherwise the next reload opens the window again.

Examples:
  $ gatehouse keys seal --namespace orders.acme1`,
    )
    .action((flags: KeysFlags, command: Command) =>
      eachNamespace(io, flags, command, async (keys, record) => {
        // Of all, those that are being migrated are meant.
        if (flags.all === true && record.sealing === 'off') return 'not sealed: left as it is';
        return (await keys.seal(record)) ? 'sealing is on' : 'sealing was on already';
      }),
    );
}

const LOSS = `Destroying the keys of a namespace erases it for good: every payload, memo, header, failure and sealed search
attribute that was ever stored for it, in histories, archives and backups, can never be read again, and its calls are
refused from then on. Nobody can undo it. Two things stay:
  - what was stored before sealing began, or while it was off, was never sealed by these keys;
  - backups of the directory still hold the wrapped keys, until they expire or the KMS key is destroyed.
`;

function destroyCommand(io: KeysCommandIo): Command {
  return placed('destroy', 'erase a namespace for good, by destroying its keys')
    .requiredOption('--namespace <id>', 'this namespace; one that was deleted too')
    .option('--confirm <id>', 'the same id once more')
    .addHelpText(
      'after',
      `
${LOSS}
Examples:
  $ gatehouse keys destroy --namespace orders.acme1 --confirm orders.acme1`,
    )
    .action(async (flags: KeysFlags & { namespace: string; confirm?: string }) => {
      const { namespace, confirm, output } = flags;
      if (confirm !== namespace) {
        io.stderr.write(
          `gatehouse keys destroy: nothing was done. ${LOSS}To do it, add --confirm ${namespace}\n`,
        );
        io.setExitCode(2);
        return;
      }
      await withKeys(io, flags, async (keys) => {
        const destroyed = await keys.destroy(namespace);
        io.stdout.write(
          output === 'json'
            ? `${JSON.stringify({ namespace, destroyed })}\n`
            : destroyed === 0
              ? `${namespace}: there was no key left to destroy\n`
              : `${namespace}: ${destroyed} keys destroyed. Backups of the directory still hold them wrapped, until they expire or the KMS key is destroyed.\n`,
        );
      });
    });
}

/** Opens the keys, tells of what takes long, and closes them again. */
async function withKeys(
  io: KeysCommandIo,
  flags: KeysFlags,
  work: (keys: KeysAdmin) => Promise<void>,
): Promise<void> {
  const { openKeysAdmin } = await import('#app/keys-admin');
  const place =
    flags.config === undefined
      ? { home: resolve(flags.home) }
      : { config: loadConfig(flags.config, process.env) };
  const log = createLog({ level: 'error', write: (line) => io.stderr.write(`  ${problemOf(line)}\n`) });
  const opening = tellIfSlow(io, () => 'opening the directory');
  const keys = await openKeysAdmin(place, log).finally(opening);
  try {
    await work(keys);
  } finally {
    await keys.close();
  }
}

/** Does something to each namespace that is chosen. One that fails keeps no other from it; the exit is 1 then. */
async function eachNamespace(
  io: KeysCommandIo,
  flags: KeysFlags,
  command: Command,
  work: (keys: KeysAdmin, record: NamespaceRecord) => Promise<string>,
): Promise<void> {
  const { namespace, all, output } = flags;
  if (namespace === undefined && all !== true) {
    command.error('error: give --namespace <id>, or --all', { exitCode: 2 });
  }
  await withKeys(io, flags, async (keys) => {
    const records = keys.namespaces(namespace);
    const results: { namespace: string; ok: boolean; text: string }[] = [];
    const done = tellIfSlow(io, () => `${results.length} of ${records.length} namespaces`);
    try {
      for (const record of records) {
        const result = await work(keys, record).then(
          (text) => ({ namespace: record.id, ok: true, text }),
          (error: unknown) => ({ namespace: record.id, ok: false, text: sentenceOf(error) }),
        );
        results.push(result);
        if (!result.ok) io.setExitCode(1);
        if (output === 'table') {
          const stream = result.ok ? io.stdout : io.stderr;
          stream.write(`${record.id}: ${result.text}\n`);
        }
      }
    } finally {
      done();
    }
    if (output === 'json') io.stdout.write(`${JSON.stringify({ results })}\n`);
  });
}

const TELL_MS = 1000;

/** @returns the end of it. */
function tellIfSlow(io: KeysCommandIo, text: () => string): () => void {
  const timer = setInterval(() => io.stderr.write(`  ${text()} …\n`), TELL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** A refusal's own words, and what is told to operators only. */
function sentenceOf(error: unknown): string {
  if (error instanceof Refusal && error.detail !== undefined) return `${error.message} (${error.detail})`;
  return error instanceof Error ? error.message : String(error);
}

/** A line of the log as a sentence. */
function problemOf(line: string): string {
  const { message, error } = JSON.parse(line) as { message: string; error?: { message?: string } };
  return error?.message === undefined ? message : `${message}: ${error.message}`;
}

function listJson(lists: readonly NamespaceKeyList[]): string {
  const namespaces = lists.map(({ keys, ...list }) => ({
    ...list,
    keys: keys.map(({ createdAtMs, ...key }) => ({ ...key, createdAt: new Date(createdAtMs).toISOString() })),
  }));
  return `${JSON.stringify({ namespaces })}\n`;
}

const TITLES = ['NAMESPACE', 'SEALING', 'KEY', 'PURPOSE', 'STATE', 'AGE', 'WRAPPED BY'];

function listTable(lists: readonly NamespaceKeyList[], nowMs: number): string {
  const rows = lists.flatMap(({ id, sealing, keys }) =>
    keys.length === 0
      ? [[id, sealing, '-', '-', 'no key', '-', '-']]
      : keys.map((key) => [
          id,
          sealing,
          key.id,
          key.purpose,
          key.state,
          ageOf(nowMs - key.createdAtMs),
          key.wrappedBy,
        ]),
  );
  const lines = [TITLES, ...rows];
  const widths = TITLES.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function ageOf(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 60) return `${minutes}m`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 1440)}d`;
}
