import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '#base/runtime/clock';
import {
  type AuditRecord,
  createRecordReader,
  type RecordReader,
  recordJson,
} from '#core/audit/audit-record';
import type { SealedField } from '#core/audit/fields/sealed-fields';
import { parseWitness } from '#core/audit/latest-checkpoint';
import { quoteText } from '#core/audit/quoted-text';
import { followChains, type ReaderOf, searchChains, tailChains } from '#core/audit/read-chains';
import type { RecordFilter } from '#core/audit/search';
import type { ChainVerdict, VerifyOptions } from '#core/audit/verify';
import { type NamedVerdict, verifyChains } from '#core/audit/verify-chains';
import { eraseCommand } from './audit-erase.ts';

/** Where the command writes, and how it says that it failed. A parameter for tests. */
export interface AuditCommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  setExitCode(code: number): void;
}

const processIo: AuditCommandIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  setExitCode: (code) => {
    process.exitCode = code;
  },
};

/** `gatehouse audit`: read the audit chain of a home, or a copy of it anywhere; erase what is personal in it. */
export function auditCommand(io: AuditCommandIo = processIo): Command {
  return new Command('audit')
    .description('verify, follow and search the audit chain, and erase what is personal in it')
    .addCommand(verifyCommand(io))
    .addCommand(tailCommand(io))
    .addCommand(searchCommand(io))
    .addCommand(guardedErase(io));
}

interface PlaceOptions {
  readonly home: string;
  readonly folder?: string;
  readonly output: 'json' | 'table';
}

interface FilterOptions extends PlaceOptions {
  readonly namespace?: string;
  readonly principal?: string;
  readonly peer?: string;
  readonly credential?: string;
  readonly method?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly requestId?: string;
  readonly since?: number;
  readonly until?: number;
}

function verifyCommand(io: AuditCommandIo): Command {
  return placed('verify', 'read the whole chain; exit 0 only if every record is as it was written')
    .option('--public-key <file>', 'PEM of the signing key you trust, instead of the one beside the chain')
    .option('--witness <file>', 'checkpoint lines put aside earlier, one a line: the chain must hold them')
    .addHelpText(
      'after',
      `
Examples:
  $ gatehouse audit verify
  $ gatehouse audit verify --folder /mnt/copy/audit --public-key signing-key.pem
  $ cp .gatehouse/audit/latest-checkpoint.json witness.json    # keep it where the platform cannot write
  $ gatehouse audit verify --witness witness.json --output json`,
    )
    .action((options: PlaceOptions & { publicKey?: string; witness?: string }) =>
      guarded(io, async () => {
        const verdicts = await verifyChains(folderOf(options), await verifyOptions(options));
        const text =
          options.output === 'json' ? JSON.stringify(verdictsJson(verdicts)) : verdictsText(verdicts);
        await write(io.stdout, `${text}\n`);
        if (verdicts.some(({ verdict }) => verdict.fault !== undefined)) io.setExitCode(1);
      }),
    );
}

async function verifyOptions(options: { publicKey?: string; witness?: string }): Promise<VerifyOptions> {
  const { publicKey, witness } = options;
  return {
    ...(publicKey === undefined ? {} : { publicKeyPem: await readFile(publicKey, 'utf8') }),
    ...(witness === undefined ? {} : { witness: parseWitness(await readFile(witness, 'latin1')) }),
  };
}

function tailCommand(io: AuditCommandIo): Command {
  return filtered(placed('tail', 'show the newest records'))
    .option('-n, --lines <count>', 'how many', parseCount, 20)
    .option('-f, --follow', 'go on with what is written from now on', false)
    .addHelpText(
      'after',
      `
Examples:
  $ gatehouse audit tail
  $ gatehouse audit tail -n 100 --outcome refused --follow
  $ gatehouse audit tail --output json | jq .method`,
    )
    .action((options: FilterOptions & { lines: number; follow: boolean }) =>
      guarded(io, async () => {
        const folder = folderOf(options);
        const readers = await openReaders(options);
        const newest = await tailChains(folder, options.lines, filterOf(options), readers.next);
        const show = await startShowing(io, options.output);
        for (const record of newest.records) await show(record);
        tellClosed(io, options, readers);
        if (!options.follow) return;
        const stop = new AbortController();
        process.once('SIGINT', () => stop.abort());
        const { lastSeqs } = newest;
        const coming = followChains(folder, lastSeqs, filterOf(options), stop.signal, readers.next);
        for await (const record of coming) await show(record);
      }),
    );
}

function searchCommand(io: AuditCommandIo): Command {
  return filtered(placed('search', 'find records in the whole chain, oldest first'))
    .addHelpText(
      'after',
      `
Examples:
  $ gatehouse audit search --namespace default.local --since 1h
  $ gatehouse audit search --outcome refused --reason namespace_mismatch --output json
  $ gatehouse audit search --peer 203.0.113.7 --since 7d
  $ gatehouse audit search --method StartWorkflowExecution --since 2026-11-01 --until 2026-12-01`,
    )
    .action((options: FilterOptions) =>
      guarded(io, async () => {
        const readers = await openReaders(options);
        const show = await startShowing(io, options.output);
        for await (const record of searchChains(folderOf(options), filterOf(options), readers.next)) {
          await show(record);
        }
        tellClosed(io, options, readers);
      }),
    );
}

function placed(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(
      new Option('--home <dir>', 'the home that `up` made').env('GATEHOUSE_HOME').default('.gatehouse'),
    )
    .option('--folder <dir>', 'the chains themselves, such as a copy (default: audit/ in the home)')
    .addOption(new Option('--output <form>', 'how to print').choices(['json', 'table']).default('table'));
}

function filtered(command: Command): Command {
  return command
    .option('--namespace <id>', 'only this namespace')
    .option('--principal <principal>', 'only this principal, such as certificate:<fingerprint>')
    .option('--peer <address>', 'only this peer, with or without its port')
    .option('--credential <credential>', 'only this credential: issuer and serial, as the records have it')
    .option('--method <method>', 'only this method, with or without its service')
    .addOption(
      new Option('--outcome <outcome>', 'only this outcome').choices([
        'ok',
        'refused',
        'error',
        'cancelled',
        'unknown',
      ]),
    )
    .option('--reason <code>', 'only this refusal code or reason')
    .option('--request-id <id>', 'only this request')
    .option('--since <time>', 'not before: 15m, 2h, 7d ago, or a date', parseTime)
    .option('--until <time>', 'before: the same forms', parseTime);
}

function folderOf(options: PlaceOptions): string {
  return options.folder ?? join(options.home, 'audit');
}

function filterOf(options: FilterOptions): RecordFilter {
  const { since, until, namespace, principal, peer, credential, method, outcome, reason, requestId } =
    options;
  return {
    namespace,
    principal,
    peer,
    credential,
    method,
    outcome,
    reason,
    requestId,
    sinceMs: since,
    untilMs: until,
  };
}

/** Readers, one for each chain. */
interface Readers {
  readonly next: ReaderOf;
  closedRecords(): number;
}

/** With the keys of the home, if that is at hand. */
async function openReaders({ home }: PlaceOptions): Promise<Readers> {
  const { openAuditFields } = await import('#app/audit-fields');
  const opener = await openAuditFields(home);
  const readers: RecordReader[] = [];
  return {
    next() {
      const reader = createRecordReader(opener);
      readers.push(reader);
      return reader;
    },
    closedRecords: () => readers.reduce((count, reader) => count + reader.closedRecords(), 0),
  };
}

/** What was looked for may stand where it could not be seen. */
function tellClosed(io: AuditCommandIo, { home }: PlaceOptions, readers: Readers): void {
  const count = readers.closedRecords();
  if (count === 0) return;
  io.stderr.write(
    `gatehouse audit: of the records read, ${count} have fields that the keys in ${home} do not open\n`,
  );
}

function guardedErase(io: AuditCommandIo): Command {
  return eraseCommand(
    io,
    (text) => write(io.stdout, text),
    (run) => guarded(io, run),
  );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 100_000) return count;
  throw new InvalidArgumentError('Give a whole number from 1 to 100000.');
}

const UNIT_MS = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

function parseTime(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return systemClock.now() - Number(amount) * (UNIT_MS.get(unit) ?? 0);
  const date = Date.parse(text);
  if (Number.isNaN(date))
    throw new InvalidArgumentError('Give 30s, 15m, 2h, 7d, or a date such as 2026-11-24T10:00Z.');
  return date;
}

/** Prints records as they come. What they hold is escaped anew, in both forms (T-088). */
async function startShowing(
  io: AuditCommandIo,
  output: string,
): Promise<(record: AuditRecord) => Promise<void>> {
  if (output === 'json') return (record) => write(io.stdout, `${recordJson(record)}\n`);
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell.padEnd(COLUMNS[index]?.width ?? 0))
      .join('  ')
      .trimEnd();
  await write(io.stdout, `${row(COLUMNS.map((column) => column.title))}\n`);
  return (record) => write(io.stdout, `${row(COLUMNS.map((column) => column.cell(record)))}\n`);
}

const safe = (text: string): string => (text === '' ? '-' : quoteText(text).slice(1, -1));

/** A field that may be sealed: what is in it, or why it cannot be seen. */
const personal = (record: AuditRecord, field: SealedField): string =>
  record.closed[field] ?? safe(record[field]);

const COLUMNS: readonly { title: string; width: number; cell(record: AuditRecord): string }[] = [
  {
    title: 'SEQ',
    width: 8,
    cell: ({ seq, chain }) => (chain === undefined ? `${seq}` : `${placeOf(chain)}/${seq}`),
  },
  { title: 'TIME', width: 24, cell: (record) => isoTime(record.timeMs) },
  { title: 'KIND', width: 10, cell: (record) => safe(record.kind) },
  { title: 'OUTCOME', width: 9, cell: (record) => safe(record.outcome) },
  { title: 'REASON', width: 28, cell: (record) => safe(record.reason) },
  { title: 'NAMESPACE', width: 24, cell: (record) => safe(record.namespace) },
  { title: 'METHOD', width: 40, cell: (record) => safe(record.method) },
  { title: 'COUNT', width: 5, cell: (record) => String(record.count) },
  { title: 'PEER', width: 21, cell: (record) => personal(record, 'peer') },
  { title: 'PRINCIPAL', width: 20, cell: (record) => personal(record, 'principal') },
  { title: 'DETAIL', width: 0, cell: (record) => personal(record, 'detail') },
];

function isoTime(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

/** `gateway-2` is place 2. */
function placeOf(chain: string): string {
  return chain.replace(/^gateway-/, '');
}

/** The home's own chain, with those of its gateway processes where it has any. */
function verdictsJson(verdicts: readonly NamedVerdict[]): Record<string, unknown> {
  const [own, ...others] = verdicts.map(({ name, verdict }) => ({ name, ...verdictJson(verdict) }));
  const { name: _own, ...first } = { ...own };
  if (others.length === 0) return first;
  const verified = verdicts.every(({ verdict }) => verdict.fault === undefined);
  return { ...first, verified, processes: others };
}

function verdictsText(verdicts: readonly NamedVerdict[]): string {
  return verdicts
    .map(({ name, verdict }) => {
      const text = verdictText(verdict);
      return name === '' ? text : text.replaceAll(/^/gm, `${name}: `);
    })
    .join('\n');
}

function verdictJson(verdict: ChainVerdict): Record<string, unknown> {
  return {
    verified: verdict.fault === undefined,
    firstBadSeq: verdict.fault?.seq ?? null,
    ...verdict,
    fault: verdict.fault ?? null,
  };
}

function verdictText(verdict: ChainVerdict): string {
  const { fault, lines, segments, lastSeq, signedSeq, checkpoints, tornBytes } = verdict;
  if (fault !== undefined) {
    return `BROKEN: first bad record ${fault.seq} (segment ${fault.segment}): ${fault.reason}`;
  }
  const parts = [
    `verified: ${lines} records in ${segments} segments, the last is ${lastSeq} (${verdict.lastHash})`,
    `signed up to record ${signedSeq} by ${checkpoints} checkpoints`,
  ];
  if (lastSeq > signedSeq) parts.push(`${lastSeq - signedSeq} records are not signed yet`);
  if (tornBytes > 0)
    parts.push(`${tornBytes} bytes after the last record are being written, or were torn by a crash`);
  return parts.join('\n');
}

async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

/** What goes wrong here is about files: one sentence for the reader, no stack. */
async function guarded(io: AuditCommandIo, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    io.stderr.write(`gatehouse audit: ${error instanceof Error ? error.message : String(error)}\n`);
    io.setExitCode(1);
  }
}
