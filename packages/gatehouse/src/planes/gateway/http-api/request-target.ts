import { refuse } from '#base/model/refusals';

/** A request's target, decoded exactly once. */
export interface RequestTarget {
  readonly segments: readonly string[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads path and query. Split first, then each piece is decoded once: what is encoded twice stays encoded
 * once, and no decoded slash becomes a separator (T-023).
 * @throws Refusal `input_invalid` for paths that somebody else might read differently: empty and dot
 *   segments, encoded slashes, control characters, broken escapes, absolute and asterisk forms.
 */
export function parseRequestTarget(target: string): RequestTarget {
  if (!target.startsWith('/')) throw refuse('input_invalid', { publicDetail: 'the target must be a path' });
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    segments: path.slice(1).split('/').map(parseSegment),
    query: mark < 0 ? [] : parseQuery(target.slice(mark + 1)),
  };
}

function parseSegment(raw: string): string {
  const segment = decodeOnce(raw);
  if (segment === '' || segment === '.' || segment === '..') {
    throw refuse('input_invalid', { publicDetail: 'the path has an empty or a dot segment' });
  }
  if (segment.includes('/') || hasControlCharacter(segment)) {
    throw refuse('input_invalid', { publicDetail: 'a path segment holds a slash or a control character' });
  }
  return segment;
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** The form of an HTML form, as every client library writes it: `+` is a space. */
function parseQuery(raw: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const piece of raw.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = equals < 0 ? piece : piece.slice(0, equals);
    const value = equals < 0 ? '' : piece.slice(equals + 1);
    pairs.push([decodeOnce(name.replaceAll('+', ' ')), decodeOnce(value.replaceAll('+', ' '))]);
  }
  return pairs;
}

function decodeOnce(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    // A lone percent sign, or bytes that are not UTF-8.
    throw refuse('input_invalid', { publicDetail: 'the target is not percent-encoded UTF-8', cause });
  }
}
