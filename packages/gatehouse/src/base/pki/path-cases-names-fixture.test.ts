// No test itself: cases about the names that a CA allows and forbids, and about those that a server is called by.
import { makeLink, makeLinks } from './made-path-fixture.test.ts';
import type { PathCase } from './path-case-fixture.test.ts';
import { derOf } from './signature-vectors-fixture.test.ts';
import { Extension } from './x509-library.ts';

const PROFILE = 'what a CA must write, not what a reader must refuse: nothing more is believed because of it';
const LEADING_PERIOD = 'read as OpenSSL and most others do, as hosts below: fewer names, not more';
const WILDCARD =
  'OpenSSL does not ask what a wildcard can stand for: a CA that is denied a name reaches it by one';
const NO_BACKTRACKING = 'OpenSSL takes one way to a root and does not come back from it';

const not = 'name_not_permitted';
const nullConstraints = (value: Uint8Array): Extension => new Extension('2.5.29.30', true, value);

export const nameCases: readonly PathCase[] = [
  {
    id: 'rfc5280::nc::permitted-dns-mismatch',
    verdict: 'invalid',
    links: [{ permitted: ['dns:localhost'] }, { san: ['dns:not-localhost'] }],
    host: 'not-localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-dns-match',
    verdict: 'invalid',
    links: [{}, { excluded: ['dns:localhost'] }, {}],
    client: not,
  },
  { id: 'rfc5280::nc::permitted-dns-match', verdict: 'valid', links: [{ permitted: ['dns:localhost'] }, {}] },
  {
    id: 'rfc5280::nc::permitted-dns-match-noncritical',
    verdict: 'invalid',
    links: [{ permitted: ['dns:localhost'], constraintsCritical: false }, {}],
    clientDiffers: PROFILE,
    serverDiffers: PROFILE,
  },
  {
    id: 'rfc5280::nc::permitted-dns-match-more',
    verdict: 'valid',
    links: [{ permitted: ['dns:localhost'] }, { san: ['dns:foo.bar.localhost'] }],
    host: 'foo.bar.localhost',
  },
  {
    id: 'rfc5280::nc::excluded-dns-match-second',
    verdict: 'invalid',
    links: [
      { excluded: ['dns:not-allowed.localhost'] },
      { san: ['dns:localhost', 'dns:not-allowed.localhost'] },
    ],
    client: not,
  },
  {
    id: 'rfc5280::nc::permitted-ip-mismatch',
    verdict: 'invalid',
    links: [{ permitted: ['ip:c0000200ffffff00'] }, { san: ['dns:localhost', 'ip:c0000301'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-ipv4-match',
    verdict: 'invalid',
    links: [{ excluded: ['ip:c0000200ffffff00'] }, { san: ['dns:localhost', 'ip:c0000201'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-ipv6-match',
    verdict: 'invalid',
    links: [
      { excluded: [`ip:${'0'.repeat(31)}1${'f'.repeat(32)}`] },
      { san: ['dns:localhost', `ip:${'0'.repeat(31)}1`] },
    ],
    client: not,
  },
  {
    id: 'rfc5280::nc::permitted-ipv4-match',
    verdict: 'valid',
    links: [{ permitted: ['ip:c0000200ffffff00'] }, { san: ['dns:localhost', 'ip:c0000201'] }],
  },
  {
    id: 'rfc5280::nc::permitted-ipv6-match',
    verdict: 'valid',
    links: [
      { permitted: [`ip:${'0'.repeat(31)}1${'f'.repeat(32)}`] },
      { san: ['dns:localhost', `ip:${'0'.repeat(31)}1`] },
    ],
  },
  {
    id: 'rfc5280::nc::permitted-dn-mismatch',
    verdict: 'invalid',
    links: [{ permitted: ['dn:foo'] }, { cn: 'not-foo' }],
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-dn-match',
    verdict: 'invalid',
    links: [{ excluded: ['dn:foo'] }, { cn: 'foo' }],
    client: not,
  },
  {
    id: 'rfc5280::nc::permitted-dn-match',
    verdict: 'valid',
    links: [{ permitted: ['dn:foo'] }, { cn: 'foo' }],
  },
  {
    id: 'rfc5280::nc::permitted-dn-match-subject-san-mismatch',
    verdict: 'invalid',
    links: [{ permitted: ['dn:foo'] }, { cn: 'not-foo', san: ['dns:localhost', 'dn:foo'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-dn-match-sub-mismatch',
    verdict: 'invalid',
    links: [{ excluded: ['dn:foo'] }, { cn: 'foo', san: ['dns:localhost', 'dn:not-foo'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::excluded-match-permitted-and-excluded',
    verdict: 'invalid',
    links: [{ permitted: ['dns:localhost'], excluded: ['dns:localhost'] }, {}],
    client: not,
  },
  {
    id: 'rfc5280::nc::permitted-different-constraint-type',
    verdict: 'valid',
    links: [{ permitted: ['ip:c0000200ffffff00'] }, {}],
  },
  {
    id: 'rfc5280::nc::excluded-different-constraint-type',
    verdict: 'valid',
    links: [{ excluded: ['ip:c0000200ffffff00'] }, {}],
  },
  {
    id: 'rfc5280::nc::invalid-dnsname-wildcard',
    verdict: 'invalid',
    links: [{ permitted: ['dns:*.localhost'] }, { san: ['dns:foo.localhost'] }],
    host: 'foo.localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::invalid-dnsname-leading-period',
    verdict: 'invalid',
    links: [{ permitted: ['dns:.localhost'] }, { san: ['dns:foo.localhost'] }],
    host: 'foo.localhost',
    clientDiffers: LEADING_PERIOD,
    serverDiffers: LEADING_PERIOD,
  },
  {
    id: 'rfc5280::nc::invalid-ipv4-address',
    verdict: 'invalid',
    links: [{ permitted: ['ip:7f000001'] }, { san: ['dns:localhost', 'ip:7f000001'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::invalid-email-address',
    verdict: 'invalid',
    links: [{ permitted: ['email:invalid@invalid@a.test'] }, { san: ['email:invalid@invalid@a.test'] }],
    client: not,
    only: 'clientAuth',
  },
  {
    id: 'rfc5280::nc::invalid-email-address, excluded',
    verdict: 'invalid',
    links: [{ excluded: ['email:invalid@invalid@a.test'] }, { san: ['email:good@a.test'] }],
    client: not,
    only: 'clientAuth',
  },
  ...([true, false] as const).map(
    (critical): PathCase => ({
      id: `rfc5280::nc::not-allowed-in-ee-${critical ? '' : 'non'}critical`,
      verdict: 'invalid',
      links: [{}, { permitted: ['dns:localhost'], constraintsCritical: critical }],
      clientDiffers: PROFILE,
      serverDiffers: PROFILE,
    }),
  ),
  {
    id: 'rfc5280::nc::intermediate-with-san-rejected-by-intermediate-nc',
    verdict: 'invalid',
    links: [
      {},
      { permitted: ['dns:permitted.localhost'], excluded: ['dns:forbidden.localhost'] },
      { san: ['dns:forbidden.localhost'] },
      { san: ['dns:permitted.localhost'] },
    ],
    host: 'permitted.localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::intermediate-with-san-rejected-by-root-nc',
    verdict: 'invalid',
    links: [
      { permitted: ['dns:permitted.localhost'], excluded: ['dns:forbidden.localhost'] },
      {},
      { san: ['dns:forbidden.localhost'] },
      { san: ['dns:permitted.localhost'] },
    ],
    host: 'permitted.localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::restrictive-permits-in-intermediates-narrows',
    verdict: 'invalid',
    links: [
      {},
      { permitted: ['dns:foo.localhost', 'dns:bar.localhost'] },
      { permitted: ['dns:bar.localhost'] },
      { san: ['dns:foo.localhost'] },
    ],
    host: 'foo.localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::restrictive-permits-in-intermediates-widens',
    verdict: 'invalid',
    links: [
      {},
      { permitted: ['dns:bar.localhost'] },
      { permitted: ['dns:foo.localhost', 'dns:bar.localhost'] },
      { san: ['dns:foo.localhost'] },
    ],
    host: 'foo.localhost',
    client: not,
  },
  {
    id: 'rfc5280::nc::nc-permits-invalid-dns-san',
    verdict: 'invalid',
    links: [{}, { permitted: ['dns:localhost'] }, { san: ['dns:localhost', 'dns:.localhost'] }],
    client: not,
    serverDiffers: 'OpenSSL does not ask whether a DNS name is well-formed; this one matches no host',
  },
  {
    id: 'rfc5280::nc::nc-permits-invalid-ip-san',
    verdict: 'invalid',
    links: [{}, { permitted: ['ip:c0000200ffffff00'] }, { san: ['dns:localhost', 'ip:c0000200ffffff00'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::nc-permits-invalid-email-san',
    verdict: 'invalid',
    links: [
      {},
      { permitted: ['email:a.test'] },
      { san: ['email:good@a.test', 'email:invalid@address@a.test'] },
    ],
    client: not,
    only: 'clientAuth',
  },
  ...emailCases(),
  {
    id: 'rfc5280::nc::nc-forbids-othername',
    verdict: 'invalid',
    links: [{}, { excluded: ['other:'] }, { san: ['dns:localhost', 'other:'] }],
    client: not,
  },
  {
    id: 'rfc5280::nc::nc-forbids-othername-noop',
    verdict: 'valid',
    links: [{}, { excluded: ['other:'] }, {}],
  },
  {
    id: 'cve::cve-2025-61727',
    verdict: 'invalid',
    links: [{}, { excluded: ['dns:bar.a.test'] }, { san: ['dns:*.a.test'] }],
    host: 'foo.a.test',
    client: not,
    serverDiffers: WILDCARD,
  },
  {
    id: 'cve::cve-2025-61727-nc-permits-variant',
    verdict: 'invalid',
    links: [{}, { permitted: ['dns:foo.a.test'] }, { san: ['dns:*.a.test'] }],
    host: 'foo.a.test',
    client: not,
  },
  {
    id: 'rfc5280::nc::nc-forbids-dnsname-wildcard-san',
    verdict: 'invalid',
    links: [{}, { excluded: ['dns:bar.a.test'] }, { san: ['dns:*.a.test'] }],
    host: 'bar.a.test',
    client: not,
    serverDiffers: WILDCARD,
  },
  {
    id: 'webpki::nc::intermediate-permitted-excluded-subtrees-both-null',
    verdict: 'invalid',
    links: [{}, { extensions: [nullConstraints(derOf(0x30))] }, {}],
    client: 'unknown_ca',
    serverDiffers: PROFILE,
  },
  {
    id: 'webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences',
    verdict: 'invalid',
    links: [{}, { extensions: [nullConstraints(derOf(0x30, derOf(0xa0), derOf(0xa1)))] }, {}],
    client: 'unknown_ca',
    serverDiffers: PROFILE,
  },
  {
    id: 'rfc5280::nc::nc-forbids-same-chain-ica',
    verdict: 'valid',
    make: async (purpose, nowMs) => {
      const place = { cn: 'ca', isLeaf: false, purpose, nowMs };
      const [strict, forbidding] = await makeLinks(
        [{ cn: 'root one' }, { cn: 'A', excluded: ['dns:elsewhere.test'] }, {}],
        purpose,
        nowMs,
      );
      const other = await makeLink({ cn: 'root two' }, place);
      const good = await makeLink({ cn: 'B', san: ['dns:third.test'] }, place, other);
      if (!strict || !forbidding) return { trusted: [], presented: [] };
      const bad = await makeLink(
        { cn: 'B', san: ['dns:elsewhere.test'], keys: good.keys },
        place,
        forbidding,
      );
      const leaf = await makeLink({ cn: 'leaf' }, { ...place, isLeaf: true }, good);
      return { trusted: [strict, other], presented: [leaf, bad, forbidding, good] };
    },
    serverDiffers: NO_BACKTRACKING,
  },
  {
    id: 'rfc5280::san::malformed',
    verdict: 'invalid',
    links: [{}, { san: [], extensions: [new Extension('2.5.29.17', false, derOf(2, Buffer.of(1)))] }],
    client: 'malformed',
  },
  ...hostCases(),
];

/** An asterisk in an address is a letter like any other. */
function emailCases(): PathCase[] {
  const rows = [
    ['exact', 'foo@a.test', 'foo@a.test', true],
    ['domain', 'a.test', 'foo@a.test', true],
    ['literal-asterisk-exact-match', '*@a.test', '*@a.test', true],
    ['literal-asterisk-rejects-user', '*@a.test', 'user@a.test', false],
    ['literal-asterisk-rejects-subdomain', '*@a.test', '*@subdomain.a.test', false],
    ['literal-double-asterisk', '**@a.test', '**@a.test', true],
    ['literal-double-asterisk-rejects-single', '**@a.test', '*@a.test', false],
    ['literal-mid-asterisk', 'user*@a.test', 'user*@a.test', true],
  ] as const;
  return rows.map(([name, limit, address, isValid]) => ({
    id: `rfc5280::nc::nc-permits-email-${name}`,
    verdict: isValid ? 'valid' : 'invalid',
    links: [{}, { permitted: [`email:${limit}`] }, { san: [`email:${address}`] }],
    ...(isValid ? {} : { client: not }),
    only: 'clientAuth',
  }));
}

/** The name that a server is called by is the caller's business, so a client is never asked about it. */
function hostCases(): PathCase[] {
  const rows: readonly (readonly [string, readonly string[], string, 'valid' | 'invalid'])[] = [
    ['exact-dns-san', ['dns:a.test'], 'a.test', 'valid'],
    ['mismatch-domain-san', ['dns:b.test'], 'a.test', 'invalid'],
    ['mismatch-subdomain-san', ['dns:abc.a.test'], 'def.a.test', 'invalid'],
    ['mismatch-subdomain-apex-san', ['dns:abc.a.test'], 'a.test', 'invalid'],
    ['mismatch-apex-subdomain-san', ['dns:a.test'], 'abc.a.test', 'invalid'],
    ['leftmost-wildcard-san', ['dns:*.a.test'], 'foo.a.test', 'valid'],
    ['wildcard-embedded-leftmost-san', ['dns:ba*.a.test'], 'baz.a.test', 'invalid'],
    ['wildcard-not-in-leftmost-san', ['dns:foo.*.a.test'], 'foo.bar.a.test', 'invalid'],
    ['wildcard-match-across-labels-san', ['dns:*.a.test'], 'foo.bar.a.test', 'invalid'],
    ['san-wildcard-only', ['dns:*'], 'a.test', 'invalid'],
    ['san-wildcard-only-tld', ['dns:*.test'], 'a.test', 'invalid'],
    ['no-san', [], 'a.test', 'invalid'],
  ];
  return rows.map(([name, san, host, verdict]) => ({
    id: `webpki::san::${name}`,
    verdict,
    links: [{}, { cn: 'a.test', san }],
    host,
    only: 'serverAuth',
  }));
}
