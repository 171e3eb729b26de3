import { features } from './features.ts';
import { moreFeatures } from './more-features.ts';
import type { Place } from './place.ts';
import { describeError, report } from './report.ts';

/** A feature that hangs is a failed feature. The further ones wait for the server's own workflows. */
const featureTimeoutMs = process.env['FEATURES'] === 'all' ? 40_000 : 12_000;

/** Runs them all at once, as an application would; one line each. True when all passed. */
export async function runFeatures(given: Omit<Place, 'options'>): Promise<boolean> {
  const { prefix } = given;
  const place: Place = {
    ...given,
    options: (feature, ...args) => ({ workflowId: `${prefix}-${feature}`, taskQueue: prefix, args }),
  };
  const chosen = process.env['FEATURES'] === 'all' ? { ...features, ...moreFeatures } : features;
  const outcomes = await Promise.all(
    Object.entries(chosen).map(async ([feature, run]) => {
      const started = performance.now();
      const millis = () => Math.round(performance.now() - started);
      try {
        await withTimeout(run(place, feature));
        report({ feature, ok: true, ms: millis() });
        return true;
      } catch (error) {
        report({ feature, ok: false, ms: millis(), error: describeError(error) });
        return false;
      }
    }),
  );
  return outcomes.every((passed) => passed);
}

async function withTimeout(promise: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no end after ${featureTimeoutMs} ms`)), featureTimeoutMs);
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
