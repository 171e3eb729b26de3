import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rootCertificates } from 'node:tls';
import fc from 'fast-check';
import { readCertificate } from './certificate.ts';
import { DerError, DerReader, readDer, tags } from './der.ts';
import { decodeBoolean, decodeNamedBits, decodeOid, decodeTime, decodeUnsigned } from './der-values.ts';
import { attributesOf, formatName, nameOids } from './distinguished-name.ts';
import { readPem, writePem } from './pem.ts';
import { makeCertificate } from './testing-certificates.test.ts';
import { X509Certificate } from './x509-library.ts';

function value(tag: number, ...content: number[]) {
  return readDer(Uint8Array.from([tag, content.length, ...content]), tag);
}

describe('strict DER', () => {
  it('lengths that are indefinite, not minimal or too long are refused', () => {
    for (const bytes of [
      [0x30, 0x80, 0, 0],
      [0x04, 0x81, 1, 0],
      [0x04, 0x82, 0, 1, 0],
      [0x04, 2, 0],
      [0x04],
      [],
      [0x04, 0x84, 0, 0, 0, 1, 0],
      [0x1f, 1, 1],
      [4, 1, 0, 0],
    ])
      assert.throws(() => readDer(Uint8Array.from(bytes), bytes[0] ?? 0), DerError, String(bytes));
  });

  it('values have one form each', () => {
    assert.equal(decodeOid(value(tags.oid, 0x55, 0x1d, 0x25, 0)), '2.5.29.37.0');
    assert.equal(decodeOid(value(tags.oid, 0x88, 0x37)), '2.999');
    for (const bad of [[], [0x80, 1], [0x55, 0x80, 1], [0x55, 0x81]])
      assert.throws(() => decodeOid(value(tags.oid, ...bad)), DerError);
    for (const bad of [[], [0xff], [0, 1]])
      assert.throws(() => decodeUnsigned(value(tags.integer, ...bad)), DerError);
    for (const bad of [[], [1], [0, 0]])
      assert.throws(() => decodeBoolean(value(tags.boolean, ...bad)), DerError);
    assert.deepEqual([...decodeNamedBits(value(tags.bitString, 2, 0x84))], [0, 5]);
    for (const bad of [[], [8, 0], [1], [2, 1]])
      assert.throws(() => decodeNamedBits(value(tags.bitString, ...bad)), DerError);
  });

  it('times are of the one form of RFC 5280 and exist', () => {
    const time = (tag: number, text: string) => decodeTime(value(tag, ...Buffer.from(text)));
    assert.equal(time(tags.utcTime, '491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
    assert.equal(time(tags.utcTime, '500101000000Z'), Date.UTC(1950, 0, 1));
    assert.equal(time(tags.generalizedTime, '99991231235959Z'), Date.UTC(9999, 11, 31, 23, 59, 59));
    for (const bad of [
      '4912312359Z',
      '491231235959',
      '490230000000Z',
      '491231240000Z',
      '491231236000Z',
      '491231235959+0100',
    ])
      assert.throws(() => time(tags.utcTime, bad), DerError, bad);
  });

  it('any bytes are read or refused as malformed, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.ok(readCertificate(bytes) instanceof DerError);
        const reader = new DerReader(bytes);
        try {
          while (!reader.isAtEnd) reader.readAny();
        } catch (error) {
          assert.ok(error instanceof DerError);
        }
      }),
    );
  });
});

describe('two readers', () => {
  it('our reader and the library see the same in every public root', () => {
    for (const pem of rootCertificates) {
      const ours = readCertificate(readPem(pem).blocks[0]?.der ?? new Uint8Array());
      assert.ok(!(ours instanceof DerError));
      const theirs = new X509Certificate(pem);
      assert.equal(ours.notBeforeMs, theirs.notBefore.getTime());
      assert.equal(ours.notAfterMs, theirs.notAfter.getTime());
      assert.equal(BigInt(`0x${ours.serial || '0'}`), BigInt(`0x${theirs.serialNumber}`));
      const units = attributesOf(ours.subject, nameOids.organizationalUnit).map(({ text }) => text);
      assert.deepEqual(units, theirs.subjectName.getField('OU'));
      assert.deepEqual(
        attributesOf(ours.subject, nameOids.commonName).map(({ text }) => text),
        theirs.subjectName.getField('CN'),
      );
    }
  });

  it('names for people cannot forge a line of a log', async () => {
    const made = await makeCertificate({ subject: 'a"b,c\u2028\u202e ü' });
    const certificate = readCertificate(made.der);
    assert.ok(!(certificate instanceof DerError));
    assert.equal(formatName(certificate.subject), 'CN=a\\"b\\,c\\u{2028}\\u{202e} \\u{fc}');
    const withBreak = readCertificate((await makeCertificate({ subject: 'a\nb' })).der);
    assert.ok(!(withBreak instanceof DerError));
    assert.equal(formatName(withBreak.subject), 'CN=#0c03610a62');
  });
});

describe('PEM', () => {
  it('what is written is read back, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
        const { blocks, trailing } = readPem(writePem('CERTIFICATE', der));
        assert.deepEqual(blocks, [{ label: 'CERTIFICATE', der: Buffer.from(der) }]);
        assert.equal(trailing, '');
      }),
    );
  });

  it('bodies that are not strict base64 are no bytes', () => {
    for (const body of ['', 'A', 'AA', 'AB==', 'A-_A', 'AAAA=', 'Proc-Type: 4,ENCRYPTED\n\nAAAA'])
      assert.equal(readPem(`-----BEGIN X-----\n${body}\n-----END X-----`).blocks[0]?.der, null, body);
  });
});
