import { unlessRefused } from '#testing/fuzz/unless-refused';
import { formatGrpcTimeout, parseGrpcTimeout } from './grpc-timeout.ts';

const FORM = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 36e5, M: 6e4, S: 1e3, m: 1, u: 1e-3, n: 1e-6 };
const LARGEST_MS = 99_999_999_000;

/** The form of the specification and no other, and what is written reads again as no more than it was. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('latin1');
  const parts = FORM.exec(text);
  const ms = unlessRefused(() => parseGrpcTimeout(text), 'timeout_malformed');
  const expected = parts === null ? undefined : Number(parts[1]) * (UNIT_MS[parts[2] ?? ''] ?? Number.NaN);
  if (ms !== expected) throw new Error(`${JSON.stringify(text)} is ${ms} and not ${expected}`);
  if (ms === undefined) return;
  const again = parseGrpcTimeout(formatGrpcTimeout(ms)) ?? Number.NaN;
  const isLess = again <= ms && ms - again <= Math.max(1000, ms / 1e5);
  if (!isLess && ms < LARGEST_MS) throw new Error(`${text} is passed on as ${again} ms`);
}

export const bytesMax = 64;

export function seeds(): string[] {
  return ['1H', '20M', '300S', '4000m', '12345678u', '99999999n', '99999999H'];
}
