import { parseArgs } from 'node:util';

/** What one run of the bench measures, and how long it takes. */
export interface BenchOptions {
  readonly help: boolean;
  /** One JSON object on the last line, after the table. */
  readonly json: boolean;
  /** The object is appended to the history too. */
  readonly keep: boolean;
  /** Fewer rounds and calls: some minutes, for a look and not for the record. */
  readonly quick: boolean;
  /** `A B B A` rounds: each gives two readings of every subject. */
  readonly rounds: number;
  /** Calls before the first reading of a subject. */
  readonly warmUpCalls: number;
  /** Calls per reading at concurrency 1. */
  readonly callsAlone: number;
  /** Calls per reading at higher concurrency. */
  readonly callsTogether: number;
  readonly handshakes: number;
  readonly workflows: number;
  readonly subjects: ReadonlySet<string>;
  readonly figures: ReadonlySet<string>;
  /** Binary of the Go temporal-proxy, where one is at hand. */
  readonly rival: string | undefined;
  /** Binary of Envoy, where it is not on PATH. */
  readonly envoy: string | undefined;
  /** File that takes what each step has read: the same command again goes on from there. */
  readonly resume: string | undefined;
  /** No step begins later than this. */
  readonly minutes: number;
}

const SUBJECTS = ['direct', 'nginx', 'envoy', 'gateway', 'rival'];

const OPTIONS = {
  help: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  figures: { type: 'string' },
  rounds: { type: 'string' },
  calls: { type: 'string' },
  rival: { type: 'string' },
  envoy: { type: 'string' },
  resume: { type: 'string' },
  minutes: { type: 'string' },
} as const;

/** @param figures the groups that there are. */
export function usage(figures: readonly string[]): string {
  return `npm run bench -- [options]
  --help                print this
  --json                print one JSON object on the last line
  --keep                append the same object, with the date, to bench/history.jsonl
  --quick               fewer rounds and calls (marked in the output)
  --only A,B            subjects: ${SUBJECTS.join(', ')}
  --figures A,B         groups: ${figures.join(', ')}
  --rounds N            A B B A rounds (default 5, quick 2)
  --calls N             calls per reading (default 20000, a fifth of it at concurrency 1)
  --rival BINARY        also measure this build of the Go temporal-proxy
  --envoy BINARY        also measure this Envoy (default: the one on PATH, if there is one)
  --resume FILE         keep each step's readings in FILE, and go on where an earlier run with it ended
  --minutes N           begin no step after N minutes; --resume has the rest for later`;
}

/**
 * @param figures the groups that there are.
 * @throws Error on an unknown or malformed option.
 */
export function parseOptions(args: readonly string[], figures: readonly string[]): BenchOptions {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { quick } = values;
  const calls = parseCount('--calls', values.calls, quick ? 5_000 : 20_000);
  return {
    help: values.help,
    json: values.json,
    keep: values.keep,
    quick,
    rounds: parseCount('--rounds', values.rounds, quick ? 2 : 5),
    warmUpCalls: Math.min(20_000, quick ? calls : 20_000, calls),
    callsAlone: Math.max(1, Math.ceil(calls / 5)),
    callsTogether: calls,
    handshakes: Math.min(quick ? 250 : 500, calls),
    workflows: Math.min(quick ? 30 : 100, calls),
    subjects: parseNames('--only', values.only, SUBJECTS),
    figures: parseNames('--figures', values.figures, figures),
    rival: values.rival,
    envoy: values.envoy,
    resume: values.resume,
    minutes:
      values.minutes === undefined ? Number.POSITIVE_INFINITY : parseCount('--minutes', values.minutes, 1),
  };
}

function parseCount(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${flag} takes a whole number from 1 on`);
  return count;
}

function parseNames(flag: string, text: string | undefined, known: readonly string[]): ReadonlySet<string> {
  if (text === undefined) return new Set(known);
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`${flag} does not know ${unknown}; it takes ${known.join(', ')}`);
  return new Set(names);
}
