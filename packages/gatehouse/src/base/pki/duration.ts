import { refuse } from '#base/model/refusals';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  y: 365 * 24 * 3_600_000,
};

const DURATION = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)[smhdy])+$/;
const PART = /(\d+(?:\.\d*)?|\.\d+)([smhdy])/g;

/**
 * Reads a duration as tcld writes them, such as `30d10h` or `1.5y` (a year is 365 days), in milliseconds,
 * rounded. Throws the refusal `input_invalid`.
 */
export function parseDuration(text: string): number {
  if (/^[+-]?0$/.test(text)) return 0;
  if (text.length > 64 || !DURATION.test(text))
    throw refuse('input_invalid', {
      publicDetail: 'invalid duration: write numbers with the units s, m, h, d or y, such as 30d10h or 1.5y',
    });
  const sum = [...text.matchAll(PART)].reduce(
    (total, [, number = '', unit = '']) => total + Number(number) * (UNIT_MS[unit] ?? Number.NaN),
    0,
  );
  const ms = Math.round(sum) * (text.startsWith('-') ? -1 : 1);
  // Beyond this, dates of certificates cannot be written any more.
  if (!Number.isSafeInteger(ms))
    throw refuse('input_invalid', { publicDetail: 'invalid duration: too long' });
  return ms;
}

/** Writes whole seconds as tcld's messages do: `8760h0m0s`, `1m0s`, `5s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const text =
    hours > 0
      ? `${hours}h${minutes}m${seconds % 60}s`
      : minutes > 0
        ? `${minutes}m${seconds % 60}s`
        : `${seconds % 60}s`;
  return ms < 0 && seconds > 0 ? `-${text}` : text;
}
