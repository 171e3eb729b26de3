import { LEAF_PEM } from '#testing/fuzz/fixed-certificates';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { parseCertificate } from './certificate.ts';
import { matchesFilters, parseCertificateFilters } from './certificate-filter.ts';
import { readPem } from './pem.ts';

const FILTERS_MAX = 25;
const leaf = parseCertificate(readPem(LEAF_PEM).blocks[0]?.der ?? Buffer.alloc(0));
const fields = { commonName: 'worker 1', organization: 'acme', organizationalUnit: 'orders' } as const;

/** What is accepted reads again as itself, and each of its filters matches as its words say. */
export function fuzz(bytes: Buffer): void {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return;
  }
  const filters = unlessRefused(() => parseCertificateFilters(json), 'certificate_filter_invalid');
  if (filters === undefined) return;
  if (filters.length > FILTERS_MAX) throw new Error(`${filters.length} filters`);
  const again = parseCertificateFilters({ filters: JSON.parse(JSON.stringify(filters)) });
  if (JSON.stringify(again) !== JSON.stringify(filters)) throw new Error('it reads again as others');
  for (const filter of filters) {
    const matches = matchesFilters(leaf, [filter]);
    const expected = Object.entries(filter).every(([field, pattern]) =>
      field === 'subjectAlternativeName'
        ? doesMatch('worker.acme.test', pattern)
        : doesMatch(fields[field as keyof typeof fields], pattern),
    );
    if (matches !== expected) throw new Error(`${JSON.stringify(filter)} matches: ${matches}`);
  }
}

/** By the rule's words. All characters of the certificate are ASCII, so no other kind of case can be equal. */
function doesMatch(text: string, pattern: string): boolean {
  const wanted = pattern.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (wanted.startsWith('*')) return text.endsWith(wanted.slice(1));
  return wanted.endsWith('*') ? text.startsWith(wanted.slice(0, -1)) : text === wanted;
}

export const jsonFrom = 0;

export function seeds(): string[] {
  return [
    '{"filters":[{"commonName":"worker 1"}]}',
    '[{"organization":"ACME","organizationalUnit":"orders"},{"subjectAlternativeName":"*.acme.test"}]',
    '[{"commonName":"wor*"},{"commonName":"*1"},{"commonName":"WORKER*"}]',
    '[{"commonName":"\\u212aey"},{"organization":""}]',
  ];
}
