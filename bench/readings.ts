import { type Spread, spreadOf } from './statistics.ts';

/** Everything measured in one run, by figure and subject. */
export interface Readings {
  add(figure: string, unit: string, subject: string, value: number): void;
  /** `undefined` where this subject was not measured. */
  spread(figure: string, subject: string): Spread | undefined;
  /** In the order in which they were first added. */
  figures(): readonly { readonly figure: string; readonly unit: string }[];
}

export function createReadings(): Readings {
  const values = new Map<string, { unit: string; bySubject: Map<string, number[]> }>();
  return {
    add(figure, unit, subject, value) {
      const entry = values.get(figure) ?? { unit, bySubject: new Map<string, number[]>() };
      values.set(figure, entry);
      entry.bySubject.set(subject, [...(entry.bySubject.get(subject) ?? []), value]);
    },
    spread(figure, subject) {
      const found = values.get(figure)?.bySubject.get(subject);
      return found === undefined ? undefined : spreadOf(found);
    },
    figures: () => [...values].map(([figure, { unit }]) => ({ figure, unit })),
  };
}
