import { refuse } from '#base/model/refusals';

const DIGITS_MAX = 8;
/** By character code, so that nothing is allocated for a header that every call has. */
const UNIT_MS: ReadonlyMap<number, number> = new Map(
  Object.entries({ H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }).map(([unit, ms]) => [
    unit.charCodeAt(0),
    ms,
  ]),
);

/**
 * Reads `grpc-timeout` (gRPC over HTTP/2: 1 to 8 digits and a unit).
 * @returns milliseconds, or `undefined` where the header is absent.
 * @throws Refusal `timeout_malformed`.
 */
export function parseGrpcTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const digits = header.length - 1;
  const unitMs = UNIT_MS.get(header.charCodeAt(digits));
  if (unitMs === undefined || digits < 1 || digits > DIGITS_MAX) throw refuse('timeout_malformed');
  let value = 0;
  for (let index = 0; index < digits; index += 1) {
    const digit = header.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) throw refuse('timeout_malformed');
    value = value * 10 + digit;
  }
  return value * unitMs;
}

/** Writes a `grpc-timeout` in milliseconds, at most 8 digits. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const whole = Math.max(0, Math.floor(timeoutMs));
  return whole <= 99_999_999 ? `${whole}m` : `${Math.min(99_999_999, Math.floor(whole / 1000))}S`;
}
