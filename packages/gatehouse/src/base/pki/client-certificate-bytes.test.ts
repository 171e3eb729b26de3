import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseStoredCaBundle } from './ca-bundle.ts';
import { verifyClientCertificate } from './client-certificate.ts';
import { assertRefused, bundle, leaf, root } from './client-certificate-fixture.test.ts';
import { NOW_MS } from './testing-certificates.test.ts';

describe('bytes from strangers', () => {
  it('no certificate, no bytes and other bytes are refused in words', () => {
    assertRefused(verifyClientCertificate([], bundle, [], NOW_MS), 'missing');
    assertRefused(verifyClientCertificate([new Uint8Array()], bundle, [], NOW_MS), 'malformed');
    assertRefused(verifyClientCertificate([Buffer.from(leaf.pem)], bundle, [], NOW_MS), 'malformed');
  });

  it('trailing bytes after the certificate are refused', () => {
    const longer = Buffer.concat([leaf.der, Buffer.from([0])]);
    assertRefused(verifyClientCertificate([longer], bundle, [], NOW_MS), 'malformed');
  });

  it('T-013 a certificate with any octet changed never throws and is never admitted', () => {
    const octet = fc.record({ at: fc.nat(leaf.der.length - 1), mask: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(fc.array(octet, { minLength: 1, maxLength: 4 }), (changes) => {
        const der = Uint8Array.from(leaf.der);
        for (const { at, mask } of changes) der[at] = (der[at] ?? 0) ^ mask;
        const changed = Buffer.compare(der, leaf.der) !== 0;
        return !changed || !verifyClientCertificate([der], bundle, [], NOW_MS).admitted;
      }),
      { numRuns: 1500 },
    );
  });

  it('T-013 changed issuers, inserted and removed octets never throw', () => {
    const edit = fc.record({
      at: fc.nat(root.der.length),
      remove: fc.nat(8),
      insert: fc.uint8Array({ maxLength: 8 }),
    });
    fc.assert(
      fc.property(edit, fc.boolean(), ({ at, remove, insert }, isLeaf) => {
        const source = isLeaf ? leaf.der : root.der;
        const der = Buffer.concat([source.subarray(0, at), insert, source.subarray(at + remove)]);
        const chain = isLeaf ? [der, root.der] : [leaf.der, der];
        const verdict = verifyClientCertificate(chain, isLeaf ? bundle : parseStoredCaBundle(''), [], NOW_MS);
        return !verdict.admitted || Buffer.compare(der, source) === 0;
      }),
      { numRuns: 1000 },
    );
  });
});
