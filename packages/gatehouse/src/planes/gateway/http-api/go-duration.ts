const DURATION = /^([-+]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Turns a duration of Go (`1h30m`, `250ms`), which the engine takes in a query, into protobuf's JSON form
 * (`5400s`). Undefined where it is none.
 */
export function goDurationToJson(text: string): string | undefined {
  if (text === '0') return '0s';
  const sign = DURATION.exec(text)?.[1];
  if (sign === undefined) return undefined;
  let ns = 0;
  for (const [, amount, unit] of text.matchAll(TERM)) ns += Number(amount) * (UNIT_NS[unit ?? ''] ?? 0);
  // Go's durations are 64-bit nanoseconds, about 292 years.
  if (ns >= 2 ** 63) return undefined;
  const seconds = Math.floor(ns / 1e9);
  const rest = Math.round(ns - seconds * 1e9);
  const minus = sign === '-' ? '-' : '';
  return rest === 0 ? `${minus}${seconds}s` : `${minus}${seconds}.${String(rest).padStart(9, '0')}s`;
}
