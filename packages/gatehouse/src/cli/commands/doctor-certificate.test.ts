import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { generateCa, generateLeaf } from '#base/pki/generate';
import {
  type CertificateQuestion,
  diagnoseCertificate,
  type Finding,
  isHealthy,
} from './doctor-certificate.ts';

const DAY_MS = 24 * 3_600_000;
const nowMs = Date.UTC(2026, 5, 1);
const ca = await generateCa({ organization: 'Acme', validityMs: 90 * DAY_MS, nowMs });
const leafRequest = {
  caPem: ca.certificatePem,
  caKeyPem: ca.privateKeyPem,
  organization: 'Acme',
  commonName: 'worker',
  nowMs,
};
const leaf = await generateLeaf(leafRequest);
const twin = await generateCa({ organization: 'Acme', validityMs: 90 * DAY_MS, nowMs });
const other = await generateCa({ organization: 'Other', validityMs: 90 * DAY_MS, nowMs });

function diagnose(changed: Partial<CertificateQuestion>): Finding[] {
  return diagnoseCertificate({
    certificatePem: leaf.certificatePem,
    caBundlePem: ca.certificatePem,
    nowMs,
    ...changed,
  });
}

function assertFound(findings: Finding[], level: Finding['level'], text: RegExp): void {
  const found = findings.find((finding) => finding.level === level && text.test(finding.text));
  assert.ok(found, JSON.stringify(findings));
  if (level !== 'ok') assert.ok((found.cure ?? '').length > 5);
}

describe('what the doctor says about a certificate', () => {
  it('a sound pair is admitted and has no other finding', () => {
    const findings = diagnose({ keyPem: leaf.privateKeyPem });
    assert.ok(isHealthy(findings));
    assert.deepEqual(
      findings.map(({ level }) => level),
      ['ok', 'ok'],
    );
  });

  it('a CA of the same name but another key is told apart from a foreign CA', () => {
    assertFound(diagnose({ caBundlePem: twin.certificatePem }), 'problem', /another CA has the same name/);
    assertFound(
      diagnose({ caBundlePem: other.certificatePem }),
      'problem',
      /neither in the bundle nor in the file/,
    );
  });

  it('expiry is a warning 15 days before and a problem after', () => {
    assert.ok(isHealthy(diagnose({ nowMs: nowMs + 80 * DAY_MS })));
    assertFound(diagnose({ nowMs: nowMs + 80 * DAY_MS }), 'warning', /The certificate expires in 9 days/);
    assertFound(
      diagnose({ nowMs: nowMs + 80 * DAY_MS }),
      'warning',
      /The CA O=Acme of the bundle expires in 10 days/,
    );
    assertFound(diagnose({ nowMs: nowMs + 89.5 * DAY_MS }), 'problem', /has expired/);
  });

  it('a filter that does not match is a problem that shows the names of the certificate', () => {
    const findings = diagnose({ filters: [{ commonName: 'somebody' }] });
    assertFound(
      findings,
      'problem',
      /passes none .* O=Acme,OU=,CN=worker, with the DNS names client\.endentity\.Acme\./,
    );
  });

  it('a key of another certificate is a problem', () => {
    assertFound(diagnose({ keyPem: other.privateKeyPem }), 'problem', /does not belong/);
  });

  it('a key that the Java SDK cannot read is a warning with the command that converts it', () => {
    const sec1 = createPrivateKey(leaf.privateKeyPem).export({ type: 'sec1', format: 'pem' }).toString();
    const findings = diagnose({ keyPem: sec1 });
    assertFound(findings, 'warning', /SEC 1 form, which the Java SDK cannot read/);
    assert.ok(isHealthy(findings));
  });

  it('an encrypted key, no key and a certificate in its place are problems that quote nothing', () => {
    const encrypted = createPrivateKey(leaf.privateKeyPem)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
      .toString();
    assertFound(diagnose({ keyPem: encrypted }), 'problem', /encrypted/);
    assertFound(diagnose({ keyPem: leaf.certificatePem }), 'problem', /holds no private key/);
    assertFound(diagnose({ certificatePem: leaf.privateKeyPem }), 'problem', /holds no certificate/);
    const broken = leaf.privateKeyPem.replace('MIG', 'AAA');
    assertFound(diagnose({ keyPem: broken }), 'problem', /cannot be read/);
  });

  it('a file that begins with the CA, and an empty or unacceptable bundle are told', () => {
    assertFound(
      diagnose({ certificatePem: ca.certificatePem + leaf.certificatePem }),
      'problem',
      /begins with a CA/,
    );
    assertFound(diagnose({ caBundlePem: '' }), 'problem', /nobody gets in/);
    assertFound(
      diagnose({ caBundlePem: ca.certificatePem.repeat(2) }),
      'warning',
      /certificate 2 is the same as/,
    );
  });

  it('any text at all gets findings', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (certificatePem, keyPem, caBundlePem) => {
        assert.ok(diagnose({ certificatePem, keyPem, caBundlePem }).length > 0);
        assert.ok(diagnose({ keyPem, caBundlePem }).length > 0);
      }),
    );
  });
});
