import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '#base/config/load-config';
import { systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import { parsePeriod } from '#core/audit/fields/audit-period';
import { defaultHome } from '../machine.ts';

interface EraseFlags {
  readonly home: string;
  readonly config?: string;
  readonly before: string;
  readonly confirm?: string;
  readonly output: 'json' | 'table';
}

const LOSS = `Erasing destroys the keys of all months before the one you name. In records of those months peer, credential,
detail, and principals that name a person, can never be read again, here or in any copy of the chain. Nobody can undo
it. Everything else of the records stays, and the chain verifies as before. Backups of the home still hold the
wrapped keys, until they expire.
`;

/** `gatehouse audit erase`: what is personal in old records, for good. */
export function eraseCommand(
  io: { readonly stderr: Pick<Writable, 'write'>; setExitCode(code: number): void },
  print: (text: string) => Promise<void>,
  guarded: (run: () => Promise<void>) => Promise<void>,
): Command {
  return new Command('erase')
    .description('make what is personal in old records unreadable for good, by destroying its keys')
    .option('--home <dir>', 'the home that `up` made (or GATEHOUSE_HOME)', defaultHome(process.env))
    .option('--config <file>', 'the configuration of `serve` instead')
    .requiredOption('--before <month>', 'all months before this one (UTC), such as 2026-11', parseMonth)
    .option('--confirm <month>', 'the same month once more')
    .addOption(new Option('--output <form>', 'how to print').choices(['json', 'table']).default('table'))
    .addHelpText(
      'after',
      `
${LOSS}
Examples:
  $ gatehouse audit erase --before 2026-05 --confirm 2026-05`,
    )
    .action(async ({ home, config, before, confirm, output }: EraseFlags) => {
      if (confirm !== before) {
        io.stderr.write(
          `gatehouse audit erase: nothing was done. ${LOSS}To do it, add --confirm ${before}\n`,
        );
        io.setExitCode(2);
        return;
      }
      await guarded(async () => {
        const { eraseAudit } = await import('#app/erase-audit');
        const place =
          config === undefined ? { home: resolve(home) } : { config: loadConfig(config, process.env) };
        const log = createLog({ level: 'error', write: (line) => io.stderr.write(line) });
        const erased = await eraseAudit(place, before, systemClock, log);
        await print(
          output === 'json'
            ? `${JSON.stringify({ before, erased })}\n`
            : erased.length === 0
              ? `there was no key of a month before ${before}\n`
              : `erased: ${erased.join(', ')}\n`,
        );
      });
    });
}

function parseMonth(text: string): string {
  const month = parsePeriod(text);
  if (month === undefined) throw new InvalidArgumentError('Give a month such as 2026-11.');
  return month;
}
