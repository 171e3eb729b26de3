import type { CertificateFilter } from '#base/model/certificate-filter';
import type { NamespaceLimits } from '#base/model/limits';
import { refuse } from '#base/model/refusals';
import type { EncryptionSettings, WrappedNamespaceKey } from './directory.ts';
import { isFilter, isLimits } from './namespace-row.ts';

/**
 * The bounds that protect the directory itself. What a bundle or a filter means is checked by whoever calls,
 * or by the functions given to `openDirectory`.
 */

/** Temporal Cloud takes 32 KB after base64; twice that leaves room for comments. */
const CA_BUNDLE_CHARS_MAX = 64 * 1024;
/** Temporal Cloud's limit. */
const FILTERS_MAX = 25;
const FILTER_CHARS_MAX = 1_024;
const NEXUS_ENDPOINTS_MAX = 1_000;
/** As many as endpoints, each of which led to a few namespaces over the years. */
const NEXUS_PEERS_MAX = 4_000;
const NAME_CHARS_MAX = 200;
/** Temporal Cloud: 1 to 90 days. */
const RETENTION_DAYS_MAX = 90;
/** Far more than a search attribute limit of the engine, or than there are places. */
const ENCRYPTION_NAMES_MAX = 200;
/** A key of a cloud is named by a path of several names. */
const KMS_KEY_ID_CHARS_MAX = 1_024;
/** Twenty times what the largest RSA key makes of 32 bytes. */
const WRAPPED_CHARS_MAX = 16 * 1024;
const KEY_ID = /^[0-9a-f]{16}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const REGION = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** @throws Refusal `input_invalid` with the rule that was broken, as all of these. */
export function checkCaBundle(pem: string): void {
  checkText('the CA bundle', pem, CA_BUNDLE_CHARS_MAX);
}

export function checkFilters(filters: readonly CertificateFilter[]): void {
  demand(filters.length <= FILTERS_MAX, `at most ${FILTERS_MAX} certificate filters`);
  for (const filter of filters) {
    demand(isFilter(filter), 'a certificate filter sets at least one field, and only the known ones');
    for (const text of Object.values(filter)) checkText('a certificate filter', text, FILTER_CHARS_MAX);
  }
}

export function checkRegion(region: string): void {
  demand(region.length <= NAME_CHARS_MAX && REGION.test(region), 'a region is lower-case words and hyphens');
}

export function checkRetention(days: number): void {
  demand(
    Number.isInteger(days) && days >= 1 && days <= RETENTION_DAYS_MAX,
    `retention is 1 to ${RETENTION_DAYS_MAX} whole days`,
  );
}

export function checkEndpoints(endpoints: readonly string[]): void {
  demand(endpoints.length <= NEXUS_ENDPOINTS_MAX, `at most ${NEXUS_ENDPOINTS_MAX} Nexus endpoints`);
  for (const endpoint of endpoints) checkName('a Nexus endpoint', endpoint);
}

export function checkPeers(uuids: readonly string[]): void {
  demand(uuids.length <= NEXUS_PEERS_MAX, `at most ${NEXUS_PEERS_MAX} namespaces ever called through Nexus`);
}

export function checkName(what: string, name: string): void {
  demand(name.length > 0, `${what} is not empty`);
  checkText(what, name, NAME_CHARS_MAX);
}

export function checkEncryption(settings: EncryptionSettings): void {
  const { sealedAttributes = [], plaintextAllowed = [], kmsKey = '' } = settings;
  checkText('the name of a KMS key', kmsKey, NAME_CHARS_MAX);
  for (const [what, names] of [
    ['a sealed search attribute', sealedAttributes],
    ['a place where plaintext is allowed', plaintextAllowed],
  ] as const) {
    demand(names.length <= ENCRYPTION_NAMES_MAX, `at most ${ENCRYPTION_NAMES_MAX} entries: ${what}`);
    for (const name of names) checkName(what, name);
    demand(new Set(names).size === names.length, `${what} is named once`);
  }
}

export function checkLimits(limits: Partial<NamespaceLimits>): void {
  demand(isLimits(limits), 'limits are whole numbers within their bounds, and only the known ones');
}

export function checkNamespaceKeys(keys: readonly WrappedNamespaceKey[]): void {
  demand(keys.length > 0, 'at least one key');
  for (const key of keys) {
    demand(KEY_ID.test(key.id), 'the id of a key is 16 hex digits');
    demand(key.state === 'active', 'a new key is active');
    demand(Number.isSafeInteger(key.createdAtMs) && key.createdAtMs >= 0, 'a key has a time of its making');
    checkWrapped(key.kmsKeyId, key.wrapped);
  }
}

export function checkWrapped(kmsKeyId: string, wrapped: string): void {
  demand(kmsKeyId.length > 0, 'the id of the KMS key is not empty');
  checkText('the id of the KMS key', kmsKeyId, KMS_KEY_ID_CHARS_MAX);
  demand(BASE64.test(wrapped), 'a wrapped key is base64');
  checkText('a wrapped key', wrapped, WRAPPED_CHARS_MAX);
}

/** @throws Refusal `input_invalid` */
export function checkText(what: string, text: string, charsMax: number): void {
  demand(text.length <= charsMax, `${what} has at most ${charsMax} characters`);
  // PostgreSQL takes neither NUL nor half a surrogate pair; SQLite would take both.
  demand(!text.includes('\0') && text.isWellFormed(), `${what} is well-formed text without NUL`);
}

function demand(holds: boolean, rule: string): void {
  if (!holds) throw refuse('input_invalid', { publicDetail: rule });
}
