/** ECMAScript's "JSON.parse source text access" (Node 22 on), which the compiler's library does not describe yet. */
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
}
const exact = JSON as unknown as ExactJson;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** 2^53 has 16 digits: shorter numbers are exact anyway, and a parse without a reviver is much cheaper. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Parses JSON and keeps integers beyond 2^53 as they were written, so that ids in a payload survive.
 * @throws Error for what is not JSON in UTF-8.
 */
export function parseExactJson(bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes);
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return exact.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    return source !== undefined && INTEGER.test(source) ? exact.rawJSON(source) : value;
  });
}

/** The digits of an integer that `parseExactJson` kept as written; undefined for every other value. */
export function exactInteger(value: unknown): string | undefined {
  return exact.isRawJSON(value) ? value.rawJSON : undefined;
}
