import type { Client } from '@temporalio/client';
import { features } from './features.ts';
import type { Place } from './place.ts';
import { describeError, report } from './report.ts';

/** A feature that hangs is a failed feature, and the whole list has 15 s. */
const featureTimeoutMs = 12_000;

/** Runs them all at once, as an application would; one line each. True when all passed. */
export async function runFeatures(client: Client, prefix: string): Promise<boolean> {
  const place: Place = {
    client,
    prefix,
    options: (feature, ...args) => ({ workflowId: `${prefix}-${feature}`, taskQueue: prefix, args }),
  };
  const outcomes = await Promise.all(
    Object.entries(features).map(async ([feature, run]) => {
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
