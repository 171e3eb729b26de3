import { Refusal, type RefusalCode } from '#base/model/refusals';

/**
 * What a parser makes of a stranger's bytes, or undefined where it refuses them as it says that it does.
 * @throws every other error: that is what a fuzzer looks for.
 */
export function unlessRefused<T>(work: () => T, ...codes: readonly RefusalCode[]): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal && codes.includes(error.code)) return undefined;
    throw error;
  }
}
