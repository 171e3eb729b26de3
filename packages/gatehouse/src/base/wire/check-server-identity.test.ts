import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkServerIdentity as checkAsNodeDoes } from 'node:tls';
import fc from 'fast-check';
import { makeLink } from '#base/pki/made-path-fixture.test';
import { makeKeys } from '#base/pki/testing-certificates.test';
import { checkServerIdentity } from './check-server-identity.ts';

// threats.md T-009: whom a certificate names. That it is a good one is OpenSSL's business, and other tests'.

const keys = await makeKeys();

/** What a TLS client is given. @param san as in `Link`; none at all makes a certificate without the extension. */
async function shown(san: readonly string[], cn: string | null = null) {
  const place = { cn: '', isLeaf: true, purpose: 'serverAuth', nowMs: Date.now() } as const;
  const { pem } = await makeLink({ cn, san, keys }, place);
  return new X509Certificate(pem).toLegacyObject();
}

const LOOPBACK = 'ip:7f000001';
const LOOPBACK_6 = `ip:${'00'.repeat(15)}01`;

const believed: readonly (readonly [string, readonly string[]])[] = [
  ['a.test', ['dns:a.test']],
  ['A.Test', ['dns:a.TEST']],
  ['a.test.', ['dns:a.test']],
  ['localhost', ['dns:localhost']],
  ['foo_bar.a.test', ['dns:foo_bar.a.test']],
  ['foo.a.test', ['dns:b.test', 'email:a@b.test', LOOPBACK, 'dns:*.a.test']],
  ['bücher.a.test', ['dns:xn--bcher-kva.a.test']],
  ['127.0.0.1', [LOOPBACK]],
  ['127.0.0.1', ['dns:a.test', LOOPBACK]],
  ['::1', [LOOPBACK_6]],
  ['0:0:0:0:0:0:0:1', [LOOPBACK_6]],
  ['a.test', ['dns:a.test, DNS:b.test', 'dns:"', 'dns:a.test']],
];
for (const [host, san] of believed)
  test(`T-009 who is called ${host} may show ${JSON.stringify(san)}`, async () => {
    assert.equal(checkServerIdentity(host, await shown(san, 'other.test')), undefined);
  });

/** The last column: what Node's own function believes, which is why ours is there. */
const refused: readonly (readonly [
  string,
  readonly string[],
  string | null,
  'as Node says' | 'unlike Node',
])[] = [
  ['a.test', [], 'a.test', 'unlike Node'],
  ['foo.a.test', [], '*.a.test', 'unlike Node'],
  ['a.test', [LOOPBACK], 'a.test', 'unlike Node'],
  ['a.test', ['email:a.test'], 'a.test', 'unlike Node'],
  ['a.test', ['dns:b.test'], 'a.test', 'as Node says'],
  ['a.test', [], null, 'as Node says'],
  ['baz.a.test', ['dns:ba*.a.test'], null, 'unlike Node'],
  ['baz.a.test', ['dns:*z.a.test'], null, 'unlike Node'],
  ['baz.a.test', ['dns:b*z.a.test'], null, 'unlike Node'],
  ['xn--bcher-kva.a.test', ['dns:xn--*.a.test'], null, 'as Node says'],
  ['foo.bar.a.test', ['dns:foo.*.a.test'], null, 'as Node says'],
  ['foo.bar.a.test', ['dns:*.a.test'], null, 'as Node says'],
  ['a.test', ['dns:*.a.test'], null, 'as Node says'],
  ['a.test', ['dns:*.test'], null, 'as Node says'],
  ['foo.localhost', ['dns:*.localhost'], null, 'as Node says'],
  ['localhost', ['dns:*'], null, 'as Node says'],
  ['foo_bar.a.test', ['dns:*.a.test'], null, 'unlike Node'],
  ['.a.test', ['dns:*.a.test'], null, 'unlike Node'],
  ['.a.test', ['dns:foo.a.test'], null, 'as Node says'],
  ['*.a.test', ['dns:*.a.test'], null, 'unlike Node'],
  ['127.0.0.1', ['dns:127.0.0.1'], '127.0.0.1', 'as Node says'],
  ['127.0.0.1', ['dns:*.0.0.1'], null, 'as Node says'],
  ['127.0.0.1', [], '127.0.0.1', 'as Node says'],
  ['127.0.0.1', ['ip:7f000002'], null, 'as Node says'],
  ['127.0.0.1', ['ip:7f0000'], null, 'as Node says'],
  ['0', ['dns:0'], null, 'as Node says'],
  ['0x7f.1', ['dns:127.0.0.1'], null, 'unlike Node'],
  ['0x7f.1', ['dns:*.0.0.1'], null, 'unlike Node'],
  ['::1', ['dns:::1', LOOPBACK], null, 'as Node says'],
  ['fe80::1%lo', ['ip:7f0000'], null, 'as Node says'],
  ['b.test', ['dns:a.test, DNS:b.test'], null, 'as Node says'],
  ['b.test', ['dns:a.test", DNS:b.test, "'], null, 'as Node says'],
  ['127.0.0.1', ['dns:a.test, IP Address:127.0.0.1'], null, 'as Node says'],
  ['a.test', ['dns:a.test\0.b.test'], null, 'as Node says'],
  ['', ['dns:a.test'], 'a.test', 'as Node says'],
];
for (const [host, san, cn, node] of refused)
  test(`T-009 who is called ${JSON.stringify(host)} is not believed for ${JSON.stringify(san)} and the common name ${cn}, ${node}`, async () => {
    const certificate = await shown(san, cn);
    const error = checkServerIdentity(host, certificate);
    assert.ok(error !== undefined && 'code' in error);
    assert.equal(error.code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.equal(checkAsNodeDoes(host, certificate) === undefined, node === 'unlike Node');
  });

const label = fc.constantFrom('a', 'b', 'a-b', 'ab', 'xn--bcher-kva', 'a_b');
const hosts = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const addresses = fc.constantFrom('127.0.0.1', '127.0.0.2', '10.0.0.0');
const patternLabel = fc.oneof(label, fc.constantFrom('*', 'a*', '*b', '**', '', 'a, DNS:b', '"'));
const names = fc.oneof(
  hosts.map((text) => `dns:${text}`),
  fc.array(patternLabel, { minLength: 1, maxLength: 4 }).map((labels) => `dns:${labels.join('.')}`),
  hosts.map((text) => `dns:*.${text}`),
  addresses.map((text) => `dns:${text}`),
  hosts.map((text) => `email:${text}`),
  addresses.map((text) => `ip:${Buffer.from(text.split('.').map(Number)).toString('hex')}`),
);

/** RFC 9525 sections 6.3 and 6.4 on the names as they were put in. No wildcard stands for what is no host name. */
function isNamed(host: string, san: readonly string[]): boolean {
  if (/^[\d.]+$/.test(host) && host.split('.').length === 4)
    return san.includes(`ip:${Buffer.from(host.split('.').map(Number)).toString('hex')}`);
  const above = host.split('.').slice(1);
  const canHaveWildcard = above.length >= 2 && !host.includes('_');
  const wildcard = canHaveWildcard ? [`dns:*.${above.join('.')}`] : [];
  return [`dns:${host}`, ...wildcard].some((name) => san.includes(name));
}

test('T-009 exactly the hosts that RFC 9525 finds in subjectAltName are believed, whatever the common name', async () => {
  let believedHosts = 0;
  const property = fc.asyncProperty(
    fc.uniqueArray(names, { maxLength: 4 }),
    fc.oneof(hosts, addresses),
    async (san, other) => {
      // A host that one of the names is about, too: a random one is nearly never named.
      const near = san.map((name) => name.replace(/^\w+:/, '').replace(/\*/g, 'b'));
      for (const host of [other, ...near.filter((it) => /^[a-z_-]+(\.[a-z_-]+)*$/.test(it))]) {
        const isBelieved = checkServerIdentity(host, await shown(san, host)) === undefined;
        assert.equal(isBelieved, isNamed(host, san), `${host} by ${JSON.stringify(san)}`);
        if (isBelieved) believedHosts += 1;
      }
    },
  );
  await fc.assert(property, { numRuns: 150 });
  assert.ok(believedHosts > 0);
});

test('T-009 no host makes the check throw, and none is believed that Node does not believe', async () => {
  const certificate = await shown(['dns:*.a.test', 'dns:a.test', LOOPBACK, 'ip:7f0000'], 'b.test');
  const any = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((text) => `${text}.a.test`),
    fc.domain(),
    fc.ipV6(),
    fc.ipV4Extended(),
  );
  fc.assert(
    fc.property(any, (host) => {
      const isBelieved = checkServerIdentity(host, certificate) === undefined;
      assert.ok(!isBelieved || checkAsNodeDoes(host, certificate) === undefined);
    }),
  );
});

test('T-009 whatever is written in a name, the check does not throw and no other host is believed', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('DNS:', 'IP Address:127.0.0.1', 'victim.a.test', ', ', '"', '\\', '\0', '\n', '.', '*'),
  );
  const texts = fc.array(text, { maxLength: 5 }).map((parts) => parts.join(''));
  const oddNames = fc
    .tuple(fc.constantFrom('dns', 'email', 'dn'), texts)
    .map(([kind, it]) => `${kind}:${it}`);
  const property = fc.asyncProperty(fc.array(oddNames, { maxLength: 4 }), async (san) => {
    const certificate = await shown(san, 'victim.a.test');
    const isBelieved = checkServerIdentity('victim.a.test', certificate) === undefined;
    const isNamed = san.some((name) => name === 'dns:victim.a.test' || name === 'dns:*.a.test');
    assert.equal(isBelieved, isNamed);
    assert.ok(checkServerIdentity('127.0.0.1', certificate) !== undefined);
  });
  await fc.assert(property, { numRuns: 150 });
});

/** Knock at ports as an attacker would, who does not care whom he meets. */
const ANYBODY = ['core/engine/self-test-ports.ts', 'core/engine/tls-probe.ts'];
/** A module and what in it opens a connection. */
const CLIENT = /import \{[^}]*\b(connect|request|get|Agent)\b[^}]*\} from 'node:(tls|https|http2)'|from 'pg'/;

test('T-009 every TLS client of ours asks this check', () => {
  const sources = join(import.meta.dirname, '../..');
  const clients = globSync('{app,base,cli,core,planes}/**/*.ts', { cwd: sources })
    .filter((file) => !/\.(test|fuzz)\.ts$/.test(file) && !ANYBODY.includes(file))
    .map((file) => ({ file, text: readFileSync(join(sources, file), 'utf8') }))
    .filter(({ text }) => CLIENT.test(text));
  assert.ok(clients.length >= 4, 'the search finds them');
  for (const { file, text } of clients)
    assert.match(text, /from '#base\/wire\/check-server-identity'[\s\S]*\n +checkServerIdentity[,:]/, file);
});
