import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COUNTERS, instrument } from './instrument.ts';

/** More than all branches of the product. */
const PLACES_MAX = 1 << 16;
const SKIPPED = /[.](?:test|fuzz)[.]ts$|\/(?:testing|generated|node_modules)\//;

/**
 * What has run, in everything that is loaded from a folder after {@link Coverage.watch}. A feature is a place with a
 * count, as AFL takes them: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, more.
 */
export class Coverage {
  readonly #counters = new Uint8Array(PLACES_MAX);
  /** One bit for each count that a place once had. */
  readonly #seen = new Uint8Array(PLACES_MAX);
  readonly #words = new Set<string>();
  #places = 0;
  #features = 0;

  get places(): number {
    return this.#places;
  }
  get features(): number {
    return this.#features;
  }
  /** Words of the files in the watched folder: what a parser compares with. */
  get words(): readonly string[] {
    return [...this.#words];
  }

  /**
   * Counts in the sources that are loaded from now on.
   * @param sources files whose path holds this are counted.
   * @param target the words of its folder are taken.
   */
  watch(sources: string, target: string): void {
    Object.assign(globalThis, { [COUNTERS]: this.#counters });
    const folder = dirname(target) + sep;
    registerHooks({
      load: (url, context, nextLoad) => {
        const path = url.startsWith('file:') ? fileURLToPath(url) : '';
        if (!path.endsWith('.ts') || !path.includes(sources) || SKIPPED.test(path))
          return nextLoad(url, context);
        const { text, places, words } = instrument(readFileSync(path, 'utf8'), path, this.#places);
        this.#places += places;
        if (this.#places > PLACES_MAX) throw new Error('more places than counters');
        if (path.startsWith(folder)) for (const word of words) this.#words.add(word);
        return { format: 'module-typescript', source: text, shortCircuit: true };
      },
    });
  }

  /** Before an input runs. */
  clear(): void {
    this.#counters.fill(0, 0, this.#places);
  }

  /** The features of the input that ran which none before it had; they count as seen from now on. */
  takeNew(): number[] {
    const fresh: number[] = [];
    for (let place = 0; place < this.#places; place += 1) {
      const count = this.#counters[place];
      if (count === 0) continue;
      const bit = bucketOf(count ?? 0);
      const seen = this.#seen[place] ?? 0;
      if ((seen & (1 << bit)) !== 0) continue;
      this.#seen[place] = seen | (1 << bit);
      fresh.push(place * 8 + bit);
    }
    this.#features += fresh.length;
    return fresh;
  }

  /** Does the input that ran have all of these features? */
  has(features: readonly number[]): boolean {
    return features.every((feature) => {
      const count = this.#counters[feature >> 3] ?? 0;
      return count > 0 && bucketOf(count) === (feature & 7);
    });
  }

  /** All features of the input that ran. */
  all(): number[] {
    const features: number[] = [];
    for (let place = 0; place < this.#places; place += 1) {
      const count = this.#counters[place] ?? 0;
      if (count > 0) features.push(place * 8 + bucketOf(count));
    }
    return features;
  }
}

function bucketOf(count: number): number {
  if (count <= 3) return count - 1;
  return count < 8 ? 3 : count < 16 ? 4 : count < 32 ? 5 : count < 128 ? 6 : 7;
}
