import type { CertificateFilter } from '#base/model/certificate-filter';
import { type Refusal, refuse } from '#base/model/refusals';
import { type Certificate, readCertificate } from './certificate.ts';
import { DerError } from './der.ts';
import { attributesOf, nameOids } from './distinguished-name.ts';

/** Temporal Cloud's limit. */
const CERTIFICATE_FILTERS_MAX = 25;

/** Longer than any value that a certificate carries: X.520 ends at 64, a DNS name at 253 characters. */
const VALUE_LENGTH_MAX = 256;

const FIELDS = ['commonName', 'organization', 'organizationalUnit', 'subjectAlternativeName'] as const;
type Field = (typeof FIELDS)[number];

/**
 * Reads filters in the Cloud's JSON form, `{ "filters": [...] }` or the list alone. An empty text is an unset
 * field, as in protobuf. Throws the refusal `certificate_filter_invalid`, which names the filter, counted from
 * 1, and its field, and never quotes a value.
 */
export function parseCertificateFilters(input: unknown): CertificateFilter[] {
  const list = isRecord(input) && Object.keys(input).join() === 'filters' ? input['filters'] : input;
  if (!Array.isArray(list)) throw invalid('expected {"filters": [...]} or a list of filters');
  if (list.length > CERTIFICATE_FILTERS_MAX)
    throw invalid(`there are ${list.length} filters; at most ${CERTIFICATE_FILTERS_MAX} are accepted`);
  const filters = list.map((entry: unknown, index) => parseFilter(entry, index + 1));
  const keys = filters.map((filter) => JSON.stringify(FIELDS.map((field) => foldCase(filter[field] ?? ''))));
  keys.forEach((key, index) => {
    const twin = keys.indexOf(key);
    if (twin < index)
      throw invalid(
        `supplied certificate filters contain at least one duplicate entry: ${index + 1} is the same as ${twin + 1}`,
      );
  });
  return filters;
}

/**
 * True if a filter matches the client's certificate, or if there are none (T-015). Bytes that are no
 * certificate match nothing. Never throws.
 */
export function matchesCertificateFilters(
  leafDer: Uint8Array,
  filters: readonly CertificateFilter[],
): boolean {
  const certificate = readCertificate(leafDer);
  return !(certificate instanceof DerError) && matchesFilters(certificate, filters);
}

/**
 * The same for a decoded certificate. The rules, all of which fail closed:
 * - A value is compared whole. The only normalisation is case, see `foldCase`: no trimming, no Unicode forms.
 * - A subject attribute that occurs twice is ambiguous: no filter on it matches.
 * - `subjectAlternativeName` is compared with each dNSName, never with an address, URI, e-mail or other name.
 * - `*` has a meaning in a filter only: in a certificate it is a character.
 * - Text without one safe reading (NUL and control characters, Teletex and Universal strings) matches nothing.
 */
export function matchesFilters(certificate: Certificate, filters: readonly CertificateFilter[]): boolean {
  return filters.length === 0 || filters.some((filter) => matchesFilter(certificate, filter));
}

/**
 * Lower case, one character at a time, and never from outside ASCII into it: U+212A (Kelvin) lowers to `k` in
 * Unicode and would make a look-alike equal.
 */
function foldCase(text: string): string {
  let folded = '';
  for (const character of text) {
    const lower = character.toLowerCase();
    folded += character > '\x7f' && /[\0-\x7f]/.test(lower) ? character : lower;
  }
  return folded;
}

function parseFilter(entry: unknown, number: number): CertificateFilter {
  if (!isRecord(entry)) throw invalid(`filter ${number} is not an object`);
  // An unknown key is a typing error that would leave the filter wider than meant.
  if (Object.keys(entry).some((key) => !FIELDS.some((field) => field === key)))
    throw invalid(`filter ${number} has an unknown field; known are ${FIELDS.join(', ')}`);
  const filter: { [Key in Field]?: string } = {};
  for (const field of FIELDS) {
    const value = entry[field] ?? '';
    if (typeof value !== 'string') throw invalid(`filter ${number}: ${field} is not a text`);
    const fault = faultOfValue(value);
    if (fault !== undefined) throw invalid(`filter ${number}: ${field} ${fault}`);
    if (value !== '') filter[field] = value;
  }
  if (Object.keys(filter).length === 0)
    throw invalid(`certificate filter must have at least one field set: filter ${number} has none`);
  return Object.freeze(filter);
}

function faultOfValue(value: string): string | undefined {
  if (value.length > VALUE_LENGTH_MAX) return `is longer than ${VALUE_LENGTH_MAX} characters`;
  if (/[\p{Cc}\p{Cs}]/u.test(value)) return 'has a control character';
  const stars = value.split('*').length - 1;
  if (stars === 0) return undefined;
  if (value === '*') return 'is * alone, which would match everything';
  if (stars > 1) return 'has more than one *';
  return value.startsWith('*') || value.endsWith('*')
    ? undefined
    : 'has its * neither at the start nor at the end';
}

function matchesFilter(certificate: Certificate, filter: CertificateFilter): boolean {
  const set = FIELDS.filter((field) => filter[field] !== undefined);
  // A filter without fields would match everybody; none is ever stored, and if one is, it matches nobody.
  return set.length > 0 && set.every((field) => matchesField(certificate, field, filter[field] ?? ''));
}

function matchesField(certificate: Certificate, field: Field, pattern: string): boolean {
  if (field === 'subjectAlternativeName')
    return (certificate.extensions.subjectAlternativeNames ?? []).some(
      (name) => name.kind === 'dns' && name.text !== null && matchesPattern(name.text, pattern),
    );
  const [attribute, ...others] = attributesOf(certificate.subject, nameOids[field]);
  const text = others.length === 0 ? attribute?.text : undefined;
  return typeof text === 'string' && matchesPattern(text, pattern);
}

function matchesPattern(text: string, pattern: string): boolean {
  const folded = foldCase(text);
  const wanted = foldCase(pattern);
  if (wanted.startsWith('*')) return folded.endsWith(wanted.slice(1));
  return wanted.endsWith('*') ? folded.startsWith(wanted.slice(0, -1)) : folded === wanted;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(publicDetail: string): Refusal {
  return refuse('certificate_filter_invalid', { publicDetail });
}
