/** A calendar month in UTC, such as `2026-11`: what is sealed in it shares a key, and is erased together. */
export type AuditPeriod = string;

/** For a regular expression. */
export const PERIOD_PATTERN = '\\d{4}-(?:0[1-9]|1[0-2])';

/** The month of a wall time (Unix ms). */
export function periodOf(timeMs: number): AuditPeriod {
  return new Date(timeMs).toISOString().slice(0, 7);
}

/** The first millisecond of a month, and the first after it. */
export function boundsOf(period: AuditPeriod): { readonly fromMs: number; readonly untilMs: number } {
  const [year = Number.NaN, month = Number.NaN] = period.split('-').map(Number);
  return { fromMs: Date.UTC(year, month - 1), untilMs: Date.UTC(year, month) };
}

/** @returns undefined where the text is no month. */
export function parsePeriod(text: string): AuditPeriod | undefined {
  return new RegExp(`^${PERIOD_PATTERN}$`).test(text) ? text : undefined;
}
