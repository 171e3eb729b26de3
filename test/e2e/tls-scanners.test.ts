import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { programObstacle } from '../parts/program-obstacle.ts';
import { runTestssl, TESTSSL, type TestsslFinding } from '../parts/testssl.ts';
import { TENANT } from './h2-peer.ts';
import { type H2Site, startH2Site } from './h2-site.ts';

// testssl.sh, unmodified, at both doors: as they are, and where a namespace allows TLS 1.2. sslscan is in
// tls-versions.test.ts.

/** Findings worse than information, by id, and why each may be. Nothing else may. */
const known: Readonly<Record<string, string>> = {};

/** What the scanner says of itself: the checks that it leaves out are none that we ask for. */
const ofTheScan: Readonly<Record<string, string>> = {
  engine_problem: 'this OpenSSL has no engine for GOST',
  service: 'HTTP is told by a page, and the gRPC door shows none',
};

/** Each must have been looked at: a scan that ended early has found nothing, too. */
const vulnerabilities = [
  ...['heartbleed', 'CCS', 'ticketbleed', 'ROBOT', 'secure_renego', 'secure_client_renego', 'CRIME_TLS'],
  ...['POODLE_SSL', 'fallback_SCSV', 'FREAK', 'DROWN', 'LOGJAM', 'BEAST', 'LUCKY13', 'RC4'],
];
const weakCiphers = ['NULL', 'aNULL', 'EXPORT', 'LOW', '3DES_IDEA', 'AVERAGE'];
const goodCipher = /^(?:TLS_AES_|TLS_CHACHA20_|ECDHE-ECDSA-(?:AES\d+-GCM|CHACHA20-POLY1305))/;

const skip = programObstacle(TESTSSL);

let strict: H2Site;
let lenient: H2Site;
before(async () => {
  [strict, lenient] = await Promise.all([startH2Site(), startH2Site({ args: ['--tls12'] })]);
});
after(() => Promise.all([strict.close(), lenient.close()]));

function checkFindings(findings: readonly TestsslFinding[], isLenient: boolean): void {
  const said = new Map(findings.map(({ id, finding }) => [id, finding]));
  const notOffered = ['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', ...(isLenient ? [] : ['TLS1_2'])];
  for (const id of [...notOffered, ...weakCiphers.map((each) => `cipherlist_${each}`)]) {
    assert.match(said.get(id) ?? '', /^not offered/, id);
  }
  for (const id of ['TLS1_3', 'cipherlist_STRONG', 'PFS', ...(isLenient ? ['TLS1_2'] : [])]) {
    assert.match(said.get(id) ?? '', /^offered/, id);
  }
  for (const cipher of (said.get('PFS_ciphers') ?? '').split(' ')) assert.match(cipher, goodCipher);
  assert.deepEqual(
    vulnerabilities.filter((id) => !said.has(id)),
    [],
    'was not looked at',
  );
  const worse = findings.filter(
    ({ id, severity }) => !['OK', 'INFO'].includes(severity) && ofTheScan[id] === undefined,
  );
  assert.deepEqual(
    worse.filter(({ id }) => known[id] === undefined),
    [],
  );
}

// Two at a time: a scan waits more than it works, and one machine has two cores.
describe('testssl.sh', { concurrency: 2 }, () => {
  for (const door of ['grpc', 'https'] as const) {
    for (const [what, isLenient] of [
      ['TLS 1.3 alone', false],
      ['TLS 1.2 allowed', true],
    ] as const) {
      test(`T-001 T-002 testssl finds no weak version or cipher and no vulnerability at the ${door} port with ${what}`, {
        skip,
      }, async () => {
        const site = isLenient ? lenient : strict;
        const findings = await runTestssl({
          serverName: `${TENANT}.${site.domain}`,
          port: site[door],
          serverCa: site.serverCa,
          certificate: site.cert,
          privateKey: site.key,
        });
        checkFindings(findings, isLenient);
        assert.equal(site.alive, true);
        assert.deepEqual((await site.ask()).errors, []);
      });
    }
  }
});
