import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Series } from './readings.ts';
import type { Machine } from './report.ts';

/** What one step has read, or why it has not. */
export interface StepResult {
  readonly series: readonly Series[];
  readonly leftOut: readonly string[];
}

/** The steps of a run that are done, in a file where there is one: a run that ends early can go on later. */
export interface KeptSteps {
  result(step: string): StepResult | undefined;
  keep(step: string, result: StepResult): void;
}

interface Content {
  readonly machine: Machine;
  readonly steps: Readonly<Record<string, StepResult>>;
}

/**
 * @param file undefined: in memory only.
 * @throws Error where the file is of another machine or another kind of run: only ratios of one run count.
 */
export function openKeptSteps(file: string | undefined, machine: Machine): KeptSteps {
  const steps = new Map<string, StepResult>();
  if (file !== undefined && existsSync(file)) {
    const content = JSON.parse(readFileSync(file, 'utf8')) as Content;
    const fields = Object.entries(machine);
    const other = fields.find(([name, value]) => Reflect.get(content.machine, name) !== value);
    if (other !== undefined) throw new Error(`${file} is of another run: ${other[0]} is not ${other[1]}`);
    for (const [name, result] of Object.entries(content.steps)) steps.set(name, result);
  }
  return {
    result: (step) => steps.get(step),
    keep(step, result) {
      steps.set(step, result);
      if (file === undefined) return;
      const content: Content = { machine, steps: Object.fromEntries(steps) };
      writeFileSync(`${file}.tmp`, `${JSON.stringify(content)}\n`);
      renameSync(`${file}.tmp`, file);
    },
  };
}
