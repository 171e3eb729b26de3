import { hash } from 'node:crypto';

/**
 * A text as a JSON string of printable ASCII, bounded: whatever a stranger wrote stays one value on one line.
 *
 * Everything else is written as `\uXXXX`: line breaks, terminal controls, bidirectional marks, lone
 * surrogates, look-alikes (T-088). A text over the limit keeps its beginning, then its length and a SHA-256
 * of the whole, so that two long texts can still be told apart and a kept original be matched.
 */
export function quoteText(text: string): string {
  return text.length <= TEXT_LENGTH_MAX && SAFE.test(text) ? `"${text}"` : quoteWithCare(text);
}

/** UTF-16 units kept of one text. Longer than any identity the engine accepts (255 is its own limit for ids). */
export const TEXT_LENGTH_MAX = 512;

// Printable ASCII without the quote and the backslash.
const SAFE = /^[ !#-[\]-~]*$/;
const UNSAFE_EVERYWHERE = /[^ -~]/g;

function quoteWithCare(text: string): string {
  const kept =
    text.length <= TEXT_LENGTH_MAX
      ? text
      : `${text.slice(0, TEXT_LENGTH_MAX)}[sha256:${hash('sha256', text)} of ${text.length}]`;
  return JSON.stringify(kept).replace(UNSAFE_EVERYWHERE, escapeUnit);
}

/** One UTF-16 unit as `\uXXXX`. Valid in JSON also for halves of a pair. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
