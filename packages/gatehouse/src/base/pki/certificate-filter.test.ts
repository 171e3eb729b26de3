import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { CertificateFilter } from '#base/model/certificate-filter';
import { Refusal } from '#base/model/refusals';
import { matchesCertificateFilters, parseCertificateFilters } from './certificate-filter.ts';
import { readPem } from './pem.ts';
import { makeCertificate, makeKeys, openOpensslFolder, type Recipe } from './testing-certificates.test.ts';

function refusalOf(input: unknown): string {
  try {
    parseCertificateFilters(input);
  } catch (error) {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'certificate_filter_invalid');
    return error.message;
  }
  return assert.fail('the filters were accepted');
}

let keys: Awaited<ReturnType<typeof makeKeys>>;
before(async () => {
  keys = await makeKeys();
});

async function matches(
  recipe: Pick<Recipe, 'subject' | 'names'>,
  ...filters: CertificateFilter[]
): Promise<boolean> {
  const { der } = await makeCertificate({ ...recipe, keys });
  return matchesCertificateFilters(der, parseCertificateFilters(filters));
}

describe('reading filters', () => {
  it("the Cloud's JSON form and the list alone are read alike", () => {
    const filters = [{ commonName: 'a', organization: 'b' }, { subjectAlternativeName: '*.example.com' }];
    assert.deepEqual(parseCertificateFilters({ filters }), filters);
    assert.deepEqual(parseCertificateFilters(filters), filters);
    assert.deepEqual(parseCertificateFilters([]), []);
  });

  it('an empty text is an unset field', () => {
    assert.deepEqual(parseCertificateFilters([{ commonName: 'a', organization: '' }]), [{ commonName: 'a' }]);
  });

  it('T-015 a filter without a field is refused, since it would match everyone', () => {
    const wanted = /certificate filter must have at least one field set/;
    for (const empty of [{}, { commonName: '' }, { commonName: null }])
      assert.match(refusalOf([empty]), wanted);
  });

  it('a * stands once, at the start or the end, and never alone', () => {
    for (const good of ['*.example.com', 'Example Code*', '*a', 'a*', '*.*'.slice(0, 2)])
      assert.equal(parseCertificateFilters([{ commonName: good }]).length, 1);
    for (const bad of ['.example.*.', 'code.*.com', '*', '**', '*a*', 'a**', 'a*b'])
      assert.match(refusalOf([{ organization: bad }]), /filter 1: organization/);
  });

  it('duplicates are refused, also in another case, and their values never quoted', () => {
    const text = refusalOf([{ commonName: 'secret' }, { commonName: 'b' }, { commonName: 'SECRET' }]);
    assert.match(
      text,
      /supplied certificate filters contain at least one duplicate entry: 3 is the same as 1/,
    );
    assert.doesNotMatch(text, /secret/i);
  });

  it('more than 25 filters, unknown fields and other types are refused', () => {
    const many = Array.from({ length: 26 }, (_, index) => ({ commonName: `a${index}` }));
    assert.equal(parseCertificateFilters(many.slice(1)).length, 25);
    assert.match(refusalOf(many), /26 filters; at most 25/);
    assert.match(refusalOf([{ comonName: 'a' }]), /filter 1 has an unknown field/);
    assert.match(refusalOf([{ commonName: 'a', sub: '' }]), /unknown field/);
    assert.match(refusalOf([{ commonName: 1 }]), /commonName is not a text/);
    assert.match(refusalOf([{ commonName: 'a\0b' }]), /control character/);
    assert.match(refusalOf([{ commonName: 'a'.repeat(300) }]), /longer than/);
    for (const other of [null, 1, 'x', {}, { filters: {} }, { filters: [], more: 1 }, [null], [[]]])
      refusalOf(other);
  });

  it('anything at all is either read or refused in words of our own', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ filters: fc.array(fc.dictionary(fc.string(), fc.string())) })),
        (input) => {
          try {
            for (const filter of parseCertificateFilters(input)) assert.ok(Object.keys(filter).length > 0);
          } catch (error) {
            assert.ok(error instanceof Refusal);
          }
        },
      ),
    );
  });
});

describe('matching', () => {
  const subject = [
    { O: [{ printableString: 'Acme' }] },
    { OU: [{ utf8String: 'Payments' }] },
    { CN: [{ utf8String: 'Worker-1' }] },
  ];

  it('no filters match every certificate, and bytes that are none match nothing', async () => {
    assert.equal(await matches({ subject }), true);
    assert.equal(matchesCertificateFilters(new Uint8Array([1]), []), false);
  });

  it('all fields of one filter must match, and one filter is enough', async () => {
    assert.equal(await matches({ subject }, { organization: 'acme', organizationalUnit: 'PAYMENTS' }), true);
    assert.equal(await matches({ subject }, { organization: 'acme', commonName: 'other' }), false);
    assert.equal(await matches({ subject }, { commonName: 'other' }, { commonName: 'worker-1' }), true);
  });

  it('a * matches any rest, the empty one included', async () => {
    const matching = ['*-1', 'work*', 'worker-1*', '*worker-1', '*1'];
    for (const commonName of matching)
      assert.equal(await matches({ subject }, { commonName }), true, commonName);
    for (const commonName of ['*-2', 'orker*', '*worker', 'worker', 'worker-1 '])
      assert.equal(await matches({ subject }, { commonName }), false, commonName);
  });

  it('an attribute that is missing does not match, not even the empty rest of a pattern', async () => {
    assert.equal(await matches({ subject: 'a' }, { organization: 'x*' }), false);
    assert.equal(await matches({ subject: 'a' }, { subjectAlternativeName: '*a' }), false);
  });

  it('T-015 a repeated attribute is ambiguous and matches no filter on it, wherever it stands', async () => {
    const cn = (text: string) => ({ utf8String: text });
    const inTwo = [{ CN: [cn('good')] }, { O: [cn('Acme')] }, { CN: [cn('evil')] }];
    const inOne = [{ CN: [cn('good'), cn('evil')] }];
    for (const ambiguous of [inTwo, inOne])
      for (const commonName of ['good', 'evil', 'g*'])
        assert.equal(await matches({ subject: ambiguous }, { commonName }), false);
    assert.equal(await matches({ subject: inTwo }, { organization: 'acme' }), true);
  });

  it('T-015 NUL and control characters match nothing', async () => {
    for (const text of ['good\0.evil', 'good\0', '\0good', 'go\u0085od'])
      for (const commonName of ['good', 'good*', '*good', 'good.evil'])
        assert.equal(await matches({ subject: text }, { commonName }), false);
    const names = [{ type: 'dns', value: 'good.example\0.evil' }] as const;
    assert.equal(
      await matches({ subject: 'x', names: [...names] }, { subjectAlternativeName: 'good*' }),
      false,
    );
  });

  it('T-015 the same text matches in UTF8String, PrintableString and BMPString', async () => {
    for (const type of ['utf8String', 'printableString', 'bmpString', 'ia5String'])
      assert.equal(
        await matches({ subject: [{ CN: [{ [type]: 'Good' }] }] }, { commonName: 'good' }),
        true,
        type,
      );
    assert.equal(
      await matches({ subject: [{ CN: [{ universalString: 'Good' }] }] }, { commonName: 'good' }),
      false,
    );
  });

  it('T-015 spaces count, and other Unicode forms and look-alikes are other texts', async () => {
    for (const text of [' good', 'good ', 'go  od', 'gооd', 'good\ufeff', '\ufeffgood', 'ｇｏｏｄ'])
      assert.equal(await matches({ subject: text }, { commonName: 'good' }), false, text);
    assert.equal(await matches({ subject: '\u212aelvin' }, { commonName: 'kelvin' }), false);
    assert.equal(await matches({ subject: '\u0130d' }, { commonName: 'id' }), false);
    assert.equal(await matches({ subject: 'u\u0308ber' }, { commonName: 'über' }), false);
    assert.equal(await matches({ subject: 'ÜBER' }, { commonName: 'über' }), true);
  });

  it('T-015 a filter on the alternative name meets dNSName only', async () => {
    const filter = { subjectAlternativeName: 'a.example.com' };
    const other = { subjectAlternativeName: '*example.com' };
    const named = (names: Recipe['names']) => ({ subject: 'x', ...(names === undefined ? {} : { names }) });
    assert.equal(
      await matches(
        named([
          { type: 'dns', value: 'b.test' },
          { type: 'dns', value: 'A.example.com' },
        ]),
        filter,
      ),
      true,
    );
    for (const type of ['url', 'email'] as const)
      for (const value of ['a.example.com', 'https://a.example.com', 'x@a.example.com'])
        assert.equal(await matches(named([{ type, value }]), filter, other), false);
    assert.equal(await matches(named([{ type: 'dn', value: 'CN=a.example.com' }]), filter, other), false);
  });

  it('T-015 an otherName with the text of a DNS name does not match', () => {
    const folder = openOpensslFolder();
    folder.run(
      'req -x509 -newkey rsa:2048 -nodes -keyout x.key -subj /CN=x -days 9 -out x.pem ' +
        '-addext subjectAltName=otherName:1.2.3.4;IA5STRING:a.example.com,RID:1.2.3',
    );
    const der = readPem(folder.read('x.pem')).blocks[0]?.der ?? new Uint8Array();
    folder.close();
    assert.equal(matchesCertificateFilters(der, [{ commonName: 'x' }]), true);
    assert.equal(matchesCertificateFilters(der, [{ subjectAlternativeName: '*a.example.com' }]), false);
  });

  it('T-015 a * in a certificate is a character', async () => {
    const wild = { subject: '*', names: [{ type: 'dns' as const, value: '*.example.com' }] };
    assert.equal(await matches(wild, { subjectAlternativeName: 'a.example.com' }), false);
    assert.equal(await matches(wild, { commonName: 'anything' }), false);
    assert.equal(await matches({ subject: 'work*' }, { commonName: 'worker' }), false);
  });

  it('T-015 a stored filter without fields matches nobody', async () => {
    const { der } = await makeCertificate({ subject, keys });
    assert.equal(matchesCertificateFilters(der, [{}]), false);
  });
});
