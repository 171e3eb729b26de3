import { type Spread, spreadOf } from './statistics.ts';

/** All readings of one figure of one subject. */
export interface Series {
  readonly figure: string;
  readonly unit: string;
  readonly subject: string;
  readonly values: readonly number[];
}

/** Everything measured in one run, by figure and subject. */
export interface Readings {
  add(figure: string, unit: string, subject: string, value: number): void;
  /** `undefined` where this subject was not measured. */
  spread(figure: string, subject: string): Spread | undefined;
  /** In the order in which they were first added. */
  figures(): readonly { readonly figure: string; readonly unit: string }[];
  /** By figure, then by subject, in the order in which they were first added. */
  series(): readonly Series[];
}

export function createReadings(known: readonly Series[] = []): Readings {
  const values = new Map<string, { unit: string; bySubject: Map<string, number[]> }>();
  const add: Readings['add'] = (figure, unit, subject, value) => {
    const entry = values.get(figure) ?? { unit, bySubject: new Map<string, number[]>() };
    values.set(figure, entry);
    entry.bySubject.set(subject, [...(entry.bySubject.get(subject) ?? []), value]);
  };
  for (const { figure, unit, subject, values: read } of known) {
    for (const value of read) add(figure, unit, subject, value);
  }
  return {
    add,
    spread(figure, subject) {
      const found = values.get(figure)?.bySubject.get(subject);
      return found === undefined ? undefined : spreadOf(found);
    },
    figures: () => [...values].map(([figure, { unit }]) => ({ figure, unit })),
    series: () =>
      [...values].flatMap(([figure, { unit, bySubject }]) =>
        [...bySubject].map(([subject, read]) => ({ figure, unit, subject, values: read })),
      ),
  };
}
