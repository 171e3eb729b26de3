import { writeSync } from 'node:fs';
import { Random } from '../random.ts';
import type { Coverage } from './coverage.ts';
import { bytesOf, type FuzzTarget, INPUT_BYTES_MAX } from './fuzz-target.ts';
import { mutateInput } from './mutate-input.ts';

/** An input that computes for longer is a finding: thousands of times what any of a few kilobytes needs. */
const CPU_MS_MAX = 1000;
/** Of the whole process, caches and all. */
const MEMORY_BYTES_MAX = 1.5 * 2 ** 30;
const MEMORY_EVERY = 512;
const SHRINK_RUNS = 200;
const SHRINK_FINDING_RUNS = 2000;
const SHRINK_FINDING_MS = 5000;
/** Before the input under way: its number, its length. */
export const STATE_HEAD_BYTES = 8;

export interface FuzzerOptions {
  readonly seed: number;
  /** A file that holds the input under way, for who finds this process dead or hanging. */
  readonly stateFd: number;
}

/** An input that broke a promise. */
export class Finding extends Error {
  readonly input: Buffer;

  constructor(input: Buffer, cause: unknown) {
    super(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause), { cause });
    this.name = 'Finding';
    this.input = input;
  }
}

/** Not made smaller: each try would take as long. */
class TooSlow extends Error {}

/** Feeds one target, and keeps the inputs that run what none before them ran. */
export class Fuzzer {
  readonly corpus: Buffer[] = [Buffer.alloc(0)];
  /** Inputs so far. */
  runs = 0;
  readonly #target: FuzzTarget;
  readonly #coverage: Coverage;
  readonly #random: Random;
  readonly #words: readonly Buffer[];
  readonly #stateFd: number;
  readonly #state: Buffer;
  readonly #bytesMax: number;

  constructor(target: FuzzTarget, coverage: Coverage, { seed, stateFd }: FuzzerOptions) {
    this.#target = target;
    this.#coverage = coverage;
    this.#random = new Random(seed);
    this.#stateFd = stateFd;
    this.#bytesMax = target.bytesMax ?? INPUT_BYTES_MAX;
    this.#state = Buffer.alloc(STATE_HEAD_BYTES + this.#bytesMax);
    this.#words = [
      ...(target.dictionary ?? []).map(bytesOf),
      ...coverage.words.map((word) => Buffer.from(word, 'latin1')),
    ].filter((word) => word.length > 0);
  }

  /** @throws Finding */
  async begin(inputs: Iterable<Buffer>): Promise<void> {
    // Of two that run the same, the smaller one.
    const tried = [...inputs].filter(({ length }) => length <= this.#bytesMax);
    for (const input of tried.sort((a, b) => a.length - b.length)) {
      await this.#run(input);
      if (this.#coverage.takeNew().length > 0) this.corpus.push(input);
    }
  }

  /** @throws Finding, its input made as small as it gets in a while. */
  async fuzzUntil(endsAtMs: number): Promise<void> {
    const { protobufFrom, jsonFrom } = this.#target;
    const { corpus } = this;
    const stock = { corpus, words: this.#words, bytesMax: this.#bytesMax, protobufFrom, jsonFrom };
    while (performance.now() < endsAtMs) {
      // What is new was less often changed than what is old.
      const from = this.#random.chance(2) ? 0 : Math.floor(corpus.length * 0.75);
      const base = corpus[from + this.#random.below(corpus.length - from)] ?? Buffer.alloc(0);
      const input = mutateInput(base, stock, this.#random);
      await this.#run(input);
      const fresh = this.#coverage.takeNew();
      if (fresh.length > 0) corpus.push(await this.#shrink(input, fresh));
    }
  }

  /**
   * The smallest inputs that together run all that the corpus runs. Each is run twice: what only a first run does
   * (caches) is no feature of it.
   */
  async smallest(filesMax: number): Promise<Buffer[]> {
    const all: { readonly input: Buffer; readonly features: readonly number[] }[] = [];
    for (const input of this.corpus) {
      await this.#run(input);
      await this.#run(input);
      all.push({ input, features: this.#coverage.all() });
    }
    const covered = new Set<number>();
    const kept: Buffer[] = [];
    while (kept.length < filesMax) {
      const ranked = all
        .map(({ input, features }) => ({
          input,
          features,
          // Places count for more than how often they ran.
          gain: features.filter((feature) => !covered.has(feature)).length / (64 + input.length),
        }))
        .sort((a, b) => b.gain - a.gain);
      const [best] = ranked;
      if (best === undefined || best.gain === 0) break;
      for (const feature of best.features) covered.add(feature);
      kept.push(best.input);
    }
    return kept;
  }

  /** @throws Finding */
  async #run(input: Buffer): Promise<void> {
    this.#state.writeUInt32LE(++this.runs >>> 0, 0);
    this.#state.writeUInt32LE(input.length, 4);
    this.#state.set(input, STATE_HEAD_BYTES);
    writeSync(this.#stateFd, this.#state, 0, STATE_HEAD_BYTES + input.length, 0);
    let fault = await this.#feed(input);
    if (fault === undefined && this.runs % MEMORY_EVERY === 0) {
      const bytes = process.memoryUsage.rss();
      if (bytes > MEMORY_BYTES_MAX) fault = new Error(`${bytes} bytes of memory`);
    }
    if (fault instanceof TooSlow) throw new Finding(input, fault);
    if (fault !== undefined) throw new Finding(await this.#shrinkFinding(input, fault), fault);
  }

  /** @returns what is wrong, or undefined. */
  async #feed(input: Buffer): Promise<unknown> {
    this.#coverage.clear();
    try {
      const began = performance.now();
      await this.#call(input);
      if (performance.now() - began < CPU_MS_MAX) return undefined;
      // Other processes may have had the machine: once more, by the time of this thread.
      const before = process.threadCpuUsage();
      await this.#call(input);
      const { user, system } = process.threadCpuUsage(before);
      const cpuMs = (user + system) / 1000;
      return cpuMs < CPU_MS_MAX ? undefined : new TooSlow(`computed for ${Math.round(cpuMs)} ms`);
    } catch (error) {
      return error ?? new Error('threw nothing');
    }
  }

  async #call(input: Buffer): Promise<void> {
    const running = this.#target.fuzz(Buffer.from(input));
    if (running instanceof Promise) await running;
  }

  async #shrink(input: Buffer, fresh: readonly number[]): Promise<Buffer> {
    return shrink(input, SHRINK_RUNS, async (smaller) => {
      await this.#run(smaller);
      return this.#coverage.has(fresh);
    });
  }

  async #shrinkFinding(input: Buffer, fault: unknown): Promise<Buffer> {
    const same = kindOf(fault);
    const endsAt = performance.now() + SHRINK_FINDING_MS;
    return shrink(
      input,
      SHRINK_FINDING_RUNS,
      async (smaller) => performance.now() < endsAt && kindOf(await this.#feed(smaller)) === same,
    );
  }
}

/** Leaves out pieces, large ones first, for as long as the input stays what it is. */
async function shrink(
  input: Buffer,
  runsMax: number,
  isSame: (smaller: Buffer) => Promise<boolean>,
): Promise<Buffer> {
  let best = input;
  let runs = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length; ) {
      if (++runs > runsMax) return best;
      const smaller = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await isSame(smaller)) best = smaller;
      else at += size;
    }
  }
  return best;
}

/** Name and beginning of the message, without its numbers and quotes of the input. */
function kindOf(fault: unknown): string {
  if (fault === undefined) return '';
  const text = fault instanceof Error ? `${fault.name} ${fault.message}` : String(fault);
  return text.slice(0, 40).replace(/\d+/g, '0');
}
