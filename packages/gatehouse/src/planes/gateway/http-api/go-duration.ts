const DURATION = /^([-+]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const SECOND_NS = 1_000_000_000n;
/** Go's durations are 64-bit nanoseconds, about 292 years. */
const DURATION_NS_END = 2n ** 63n;
/** No number that fits has more digits before its point; digits further behind it are less than a nanosecond. */
const DIGITS_MAX = 19;

/**
 * Turns a duration of Go (`1h30m`, `250ms`), which the engine takes in a query, into protobuf's JSON form
 * (`5400s`), cut to nanoseconds as Go does. Undefined where it is none.
 */
export function goDurationToJson(text: string): string | undefined {
  if (text === '0') return '0s';
  const sign = DURATION.exec(text)?.[1];
  if (sign === undefined) return undefined;
  let ns = 0n;
  for (const [, amount = '', unit = ''] of text.matchAll(TERM))
    ns += nanosecondsOf(amount, UNIT_NS[unit] ?? 0n);
  if (ns >= DURATION_NS_END) return undefined;
  const rest = ns % SECOND_NS;
  const minus = sign === '-' ? '-' : '';
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(9, '0')}`;
  return `${minus}${ns / SECOND_NS}${fraction}s`;
}

function nanosecondsOf(amount: string, unitNs: bigint): bigint {
  const [digits = '', fractionDigits = ''] = amount.split('.');
  const whole = digits.replace(/^0+/, '');
  if (whole.length > DIGITS_MAX) return DURATION_NS_END;
  const fraction = fractionDigits.slice(0, DIGITS_MAX);
  return BigInt(whole) * unitNs + (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
}
