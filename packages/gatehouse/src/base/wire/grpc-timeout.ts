import { refuse } from '#base/model/refusals';

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/**
 * Reads `grpc-timeout` (gRPC over HTTP/2: 1 to 8 digits and a unit).
 * @returns milliseconds, or `undefined` where the header is absent.
 * @throws Refusal `timeout_malformed`.
 */
export function parseGrpcTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const match = TIMEOUT.exec(header);
  if (match === null) throw refuse('timeout_malformed');
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
}

/** Writes a `grpc-timeout` in milliseconds, at most 8 digits. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const whole = Math.max(0, Math.floor(timeoutMs));
  return whole <= 99_999_999 ? `${whole}m` : `${Math.min(99_999_999, Math.floor(whole / 1000))}S`;
}
