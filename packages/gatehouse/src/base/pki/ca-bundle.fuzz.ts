import { CHAIN_NOW_MS, INTERMEDIATE_PEM, LEAF_PEM, ROOT_PEM } from '#testing/fuzz/fixed-certificates';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { parseCaBundle, parseStoredCaBundle } from './ca-bundle.ts';
import { readPem, writePem } from './pem.ts';

const CERTIFICATES_MAX = 16;
const options = { nowMs: CHAIN_NOW_MS, hasFilters: false };

/** What is stored is what was accepted: its canonical text reads again as the same bundle, and nothing else is in it. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('utf8');
  const stored = parseStoredCaBundle(text);
  const readable = parseStoredCaBundle(stored.pem);
  if (readable.pem !== stored.pem || readable.unreadable !== 0) throw new Error('a stored bundle changes');
  for (const { label, der } of readPem(text).blocks) {
    if (der === null) continue;
    const [again] = readPem(writePem(label, der)).blocks;
    if (again?.label !== label || again.der?.equals(der) !== true)
      throw new Error('a block reads as another');
  }
  const bundle = unlessRefused(() => parseCaBundle(text, options), 'ca_bundle_invalid');
  if (bundle === undefined) return;
  if (bundle.certificates.length > CERTIFICATES_MAX || bundle.roots.size === 0)
    throw new Error('no good bundle');
  if (bundle.fingerprint !== stored.fingerprint || stored.unreadable !== 0)
    throw new Error('another is stored');
  if (/PRIVATE KEY/i.test(bundle.pem)) throw new Error('it holds a private key');
  if (parseCaBundle(bundle.pem, options).pem !== bundle.pem) throw new Error('its canonical text is refused');
}

export const bytesMax = 6000;

export function seeds(): string[] {
  return [
    ROOT_PEM,
    `comment\n${ROOT_PEM}${INTERMEDIATE_PEM}`,
    INTERMEDIATE_PEM,
    LEAF_PEM,
    ROOT_PEM + ROOT_PEM,
    `${ROOT_PEM}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`,
    '-----BEGIN A-----\n-----END A-----',
  ];
}

export const dictionary: string[] = [
  '-----BEGIN CERTIFICATE-----\n',
  '-----END CERTIFICATE-----\n',
  'PRIVATE KEY',
];
