/**
 * Request metadata that may reach the engine. Everything else is dropped, above all what the engine trusts
 * without asking who sent it: `caller-type` (jumps its queue), `caller-name`, `call-initiation`,
 * `xdc-redirection*`, `temporal-experiment`, `temporal-principal-*`, `authorization*` (data-plane.md 5.1).
 */
const passed: ReadonlySet<string> = new Set([
  'client-name',
  'client-version',
  'supported-server-versions',
  'supported-features',
  'traceparent',
  'tracestate',
]);

/** Longer values are labels of metrics and logs inside the engine; no client sends them. */
const VALUE_CHARACTERS_MAX = 256;

/** Is this header passed on, in this form? */
export function isPassedMetadata(name: string, value: string): boolean {
  return passed.has(name) && value.length <= VALUE_CHARACTERS_MAX;
}
