// Differential fuzz of the wire scanner. By hand:
//   node --conditions=source test/fuzz/scan-differential.ts [--seconds N] [--seed N] [--round N] [--no-go]
// A find prints its seed and round; with both given, that round alone runs again.

import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { engineApiRegistry } from '../../packages/gatehouse/src/base/proto/api-registry.ts';
import { entryRoles } from '../../packages/gatehouse/src/base/proto/role.ts';
import type { MessageTable } from '../../packages/gatehouse/src/base/proto/wire-tables.ts';
import {
  type Direction,
  roleOfField,
  roleOfValues,
} from '../../packages/gatehouse/src/testing/proto/field-role.ts';
import { messageArbitrary } from '../../packages/gatehouse/src/testing/proto/message-arbitrary.ts';
import {
  type Accepted,
  askScanner,
  checkInProcess,
  difference,
  differenceOfSent,
  type ScanInput,
} from '../../packages/gatehouse/src/testing/proto/scan-target.ts';
import {
  parseWireTree,
  type Shape,
  writeWireTree,
} from '../../packages/gatehouse/src/testing/proto/wire-tree.ts';
import {
  type MethodMessage,
  methodMessages,
} from '../../packages/gatehouse/src/testing/proto/workflow-messages.ts';
import { type FieldRoles, type GoDecoder, startGoDecoder } from '../parts/go-decoder.ts';
import { loadCorpus } from './corpus.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { copyTree, mutateTree } from './mutate-tree.ts';
import { Random } from './random.ts';

export interface ScanFuzzOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** Only this round. */
  readonly round?: number | undefined;
  /** The engine's decoder, asked about everything that the scanner accepts. */
  readonly go?: GoDecoder | undefined;
}

export interface ScanFuzzReport {
  readonly seed: number;
  readonly rounds: number;
  readonly inputs: number;
  readonly accepted: number;
  /** How often the scanner said what. */
  readonly faults: Readonly<Record<string, number>>;
}

const MESSAGES_PER_ROUND = 4;
const MUTANTS_PER_ROUND = 120;

/** Paths that mean something to a server that is less exact than ours. */
const otherPaths: readonly ((path: string) => string)[] = [
  (path) => path.slice(1),
  (path) => `/${path}`,
  (path) => `${path}/`,
  (path) => path.toLowerCase(),
  (path) => path.replace('temporal.api.', ''),
  (path) => `${path}?x=1`,
  (path) => path.replace(/\/([^/]*)$/, '%2f$1'),
  (path) => path.replace('.v1.', '.v2.'),
  (path) => `${path}\0`,
];

/** Roles of all fields of the API, for a decoder that knows the schema alone. */
export function fieldRoles(): FieldRoles {
  const roles = { request: {}, response: {}, entries: [...entryRoles] } satisfies FieldRoles;
  const of: Record<Direction, Record<string, number>> = roles;
  for (const desc of engineApiRegistry()) {
    if (desc.kind !== 'message') continue;
    for (const field of desc.fields) {
      for (const direction of ['request', 'response'] as const) {
        const role = roleOfField(direction, desc, field);
        if (role !== 0) of[direction][`${desc.typeName}.${field.name}`] = role;
        const ofValues = field.fieldKind === 'map' ? roleOfValues(desc, field) : 0;
        if (ofValues !== 0) of[direction][`${desc.typeName}.${field.name}#value`] = ofValues;
      }
    }
  }
  return roles;
}

/**
 * Feeds the scanner with mutated messages until the time is up, and asks the decoders about all that it accepts.
 * The corpus comes first.
 * @throws Error with the input, the seed and the round where they differ.
 */
export async function runScanFuzz(options: ScanFuzzOptions): Promise<ScanFuzzReport> {
  const every = methodMessages().flatMap((at) => new Array<MethodMessage>(weightOf(at.table)).fill(at));
  const run = new Run(options);
  for (const { name, input } of loadCorpus()) await run.check([input], `corpus ${name}`);
  const until = performance.now() + options.milliseconds;
  let round = options.round ?? 0;
  do {
    const random = new Random(options.seed * 1_000_003 + round);
    const at = random.pick(every);
    await run.check(mutants(at, random), `seed ${options.seed} round ${round}`);
    round += 1;
  } while (options.round === undefined && performance.now() < until);
  return run.report(round);
}

/** The more places with a role a message has below it, the more often it is drawn: a few hold most of them. */
function weightOf(table: MessageTable): number {
  const seen = new Set<MessageTable>();
  const visit = (at: MessageTable): void => {
    if (!at.interesting || seen.has(at)) return;
    seen.add(at);
    for (const child of at.children) if (child !== undefined) visit(child);
  };
  visit(table);
  return 1 + seen.size;
}

/** The inputs of one round: mutants of a few messages of one type. */
function mutants(at: MethodMessage, random: Random): ScanInput[] {
  const { direction, desc, method } = at;
  const shape: Shape = { kind: 'message', desc };
  const seed = random.below(2 ** 31);
  const trees = fc
    .sample(messageArbitrary(desc), { numRuns: MESSAGES_PER_ROUND, seed })
    .map(({ message }) => parseWireTree(shape, toBinary(desc, message)));
  const inputs: ScanInput[] = [];
  for (let count = 0; count < MUTANTS_PER_ROUND; count += 1) {
    const tree = copyTree(random.pick(trees));
    mutateTree(tree, shape, trees, random);
    const written = writeWireTree(tree);
    const bytes = random.chance(4) ? mutateBytes(written, random) : written;
    const path = random.chance(60) ? random.pick(otherPaths)(method.path) : method.path;
    inputs.push({ path, direction, bytes });
  }
  return inputs;
}

class Run {
  readonly #options: ScanFuzzOptions;
  readonly #faults = new Map<string, number>();
  #inputs = 0;
  #accepted = 0;

  constructor(options: ScanFuzzOptions) {
    this.#options = options;
  }

  report(rounds: number): ScanFuzzReport {
    return {
      seed: this.#options.seed,
      rounds,
      inputs: this.#inputs,
      accepted: this.#accepted,
      faults: Object.fromEntries([...this.#faults].sort(([, a], [, b]) => b - a)),
    };
  }

  async check(inputs: readonly ScanInput[], origin: string): Promise<void> {
    const asked = inputs.map(async (input) => {
      const difference = await this.#checkOne(input);
      if (difference === undefined) return;
      throw new Error(`${difference}\n${origin}\n${describeInput(input)}`);
    });
    await Promise.all(asked);
  }

  async #checkOne(input: ScanInput): Promise<string | undefined> {
    this.#inputs += 1;
    const scanned = askScanner(input);
    if (typeof scanned === 'string') {
      this.#faults.set(scanned, (this.#faults.get(scanned) ?? 0) + 1);
      return undefined;
    }
    this.#accepted += 1;
    return checkInProcess(input, scanned) ?? (await this.#askGo(input, scanned));
  }

  async #askGo({ path, direction, bytes }: ScanInput, scanned: Accepted): Promise<string | undefined> {
    const { go } = this.#options;
    if (go === undefined) return undefined;
    const [whole, sent] = await Promise.all([
      go.decode({ path, direction, bytes }),
      go.decode({ path, direction, bytes: scanned.sent }),
    ]);
    const found = difference(direction, scanned, whole) ?? differenceOfSent(direction, scanned, sent);
    return found === undefined ? undefined : `Go: ${found}`;
  }
}

/** An input in the form of a file of the corpus. */
function describeInput({ path, direction, bytes }: ScanInput): string {
  return JSON.stringify({ why: '', path, direction, hex: Buffer.from(bytes).toString('hex') });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      round: { type: 'string' },
      'no-go': { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  process.stdout.write(`seed ${seed}\n`);
  const go = values['no-go'] ? undefined : await startGoDecoder(fieldRoles());
  try {
    const round = values.round === undefined ? undefined : Number(values.round);
    const report = await runScanFuzz({ seed, round, go, milliseconds: Number(values.seconds) * 1000 });
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } finally {
    go?.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
