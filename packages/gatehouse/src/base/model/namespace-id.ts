import { refuse } from './refusals.ts';

/**
 * A namespace's public id `<namespace>.<account>`, which is also its name in the engine. It always holds
 * exactly one dot, so it can never be one of the engine's own names (`temporal-system`).
 */
export interface NamespaceId {
  readonly id: string;
  readonly name: string;
  readonly account: string;
}

const NAMESPACE_NAME = /^[a-z](?:[a-z0-9]|-(?!-)){0,37}[a-z0-9]$/;
const ACCOUNT_ID = /^[a-z0-9]{5,32}$/;

/** 2 to 39 characters, a letter first, a letter or digit last, no two hyphens in a row (Temporal Cloud). */
export function isNamespaceName(text: string): boolean {
  return NAMESPACE_NAME.test(text);
}

/** At least 5 lower-case letters or digits (Temporal Cloud). */
export function isAccountId(text: string): boolean {
  return ACCOUNT_ID.test(text);
}

/** @throws Refusal `input_invalid` with the rule that was broken. */
export function parseNamespaceId(text: string): NamespaceId {
  const dot = text.indexOf('.');
  const name = text.slice(0, dot);
  const account = text.slice(dot + 1);
  if (dot < 0 || !isNamespaceName(name) || !isAccountId(account)) {
    throw refuse('input_invalid', {
      publicDetail:
        'a namespace id is `<namespace>.<account>`: 2 to 39 of a-z, 0-9 and single hyphens, starting with a letter; then at least 5 of a-z and 0-9',
    });
  }
  return { id: text, name, account };
}

/** The host of a namespace's endpoints: `<namespace>.<account>.<domain>`. */
export function namespaceHost(id: string, domain: string): string {
  return `${id}.${domain}`;
}

/**
 * Reads the namespace out of a TLS server name. Case is folded and one trailing dot dropped, as DNS does;
 * anything else that is not the exact form is `undefined` (T-007).
 */
export function namespaceOfHost(host: string, domain: string): string | undefined {
  let folded = host.toLowerCase();
  if (folded.endsWith('.')) folded = folded.slice(0, -1);
  const suffix = `.${domain}`;
  if (!folded.endsWith(suffix)) return undefined;
  const id = folded.slice(0, -suffix.length);
  const dot = id.indexOf('.');
  if (dot < 0) return undefined;
  return isNamespaceName(id.slice(0, dot)) && isAccountId(id.slice(dot + 1)) ? id : undefined;
}
