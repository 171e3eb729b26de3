import { unlessRefused } from '#testing/fuzz/unless-refused';
import { formatDuration, parseDuration } from './duration.ts';

const FORM = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)[smhdy])+)$/;
const LONGEST = 64;

/** The form of tcld and no other, and whole seconds read again as they were. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('latin1');
  const ms = unlessRefused(() => parseDuration(text), 'input_invalid');
  if (ms !== undefined && (!FORM.test(text) || !Number.isSafeInteger(ms)))
    throw new Error(`${text} is ${ms}`);
  if (ms === undefined && FORM.test(text) && text.length < 7)
    throw new Error(`${JSON.stringify(text)} is refused`);
  if (ms === undefined || text.length > LONGEST) return;
  const again = parseDuration(formatDuration(ms));
  if (Math.abs(again - ms) > 500) throw new Error(`${ms} is written as ${formatDuration(ms)}`);
}

export const bytesMax = 128;

export function seeds(): string[] {
  return ['30d10h', '1.5y', '-1m', '0', '+.5s', '365d', '8760h0m0s'];
}
