import type { CertificateFilter } from '#base/model/certificate-filter';
import { refuse } from '#base/model/refusals';
import { isFilter } from './namespace-row.ts';

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
const NAME_CHARS_MAX = 200;
/** Temporal Cloud: 1 to 90 days. */
const RETENTION_DAYS_MAX = 90;
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

export function checkName(what: string, name: string): void {
  demand(name.length > 0, `${what} is not empty`);
  checkText(what, name, NAME_CHARS_MAX);
}

function checkText(what: string, text: string, charsMax: number): void {
  demand(text.length <= charsMax, `${what} has at most ${charsMax} characters`);
  // PostgreSQL takes neither NUL nor half a surrogate pair; SQLite would take both.
  demand(!text.includes('\0') && text.isWellFormed(), `${what} is well-formed text without NUL`);
}

function demand(holds: boolean, rule: string): void {
  if (!holds) throw refuse('input_invalid', { publicDetail: rule });
}
