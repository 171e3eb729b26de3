// No test itself: cases about who may sign what: path lengths, CA bits, usages, key identifiers, times, ways through.
import {
  type Link,
  makeLink,
  makeLinks,
  type Path,
  type Place,
  type Purpose,
} from './made-path-fixture.test.ts';
import type { PathCase } from './path-case-fixture.test.ts';
import { derOf } from './signature-vectors-fixture.test.ts';
import { makeKeys } from './testing-certificates.test.ts';
import { Extension, KeyUsageFlags } from './x509-library.ts';

const unknown = new Extension('1.3.6.1.4.1.99999.1', true, new Uint8Array([5, 0]));
const keyId = (octet: number): Buffer => Buffer.alloc(20, octet);
const subjectKeyId = (octet: number, critical = false): Extension =>
  new Extension('2.5.29.14', critical, derOf(4, keyId(octet)));
const authorityKeyId = (octet: number, critical = false): Extension =>
  new Extension('2.5.29.35', critical, derOf(0x30, derOf(0x80, keyId(octet))));
const RSA_1024 = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 1024,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
};

const SELF_ISSUED = 'a chain in which two certificates carry one name is refused here, self-issued or not';
const ONLY_ROOTS = 'a path ends at a self-signed certificate of the bundle only';
const LEAF_ONLY = 'a CA certificate is no client certificate';
const PROFILE = 'what a CA must write, not what a reader must refuse: nothing more is believed because of it';
const TRUSTED_AS_GIVEN = 'OpenSSL takes what is configured as trusted without asking whether it is a CA';
const ONE_WAY = 'OpenSSL takes one way to a root and does not come back from it';
const SERVER_CA = 'OpenSSL wants digitalSignature of a server, and this CA has keyCertSign alone';

export const authorityCases: readonly PathCase[] = [
  { id: 'pathlen::ee-with-intermediate-pathlen-0', verdict: 'valid', links: [{}, { pathLength: 0 }, {}] },
  { id: 'pathlen::ee-with-intermediate-pathlen-2', verdict: 'valid', links: [{}, { pathLength: 2 }, {}] },
  {
    id: 'pathlen::intermediate-violates-pathlen-0',
    verdict: 'invalid',
    links: [{}, { pathLength: 0 }, { pathLength: 0 }, {}],
    client: 'path_too_long',
  },
  {
    id: 'pathlen::intermediate-pathlen-may-increase',
    verdict: 'valid',
    links: [{}, { pathLength: 1 }, { pathLength: 2 }, {}],
  },
  {
    id: 'pathlen::intermediate-pathlen-too-long',
    verdict: 'invalid',
    links: [{}, { pathLength: 1 }, { pathLength: 0 }, { pathLength: 0 }, {}],
    client: 'path_too_long',
  },
  {
    id: 'pathlen::validation-ignores-pathlen-in-leaf',
    verdict: 'valid',
    links: [{}, { pathLength: 0 }, { ca: true, pathLength: 0, keyUsage: KeyUsageFlags.keyCertSign }],
    client: 'not_a_client_certificate',
    clientDiffers: LEAF_ONLY,
    serverDiffers: SERVER_CA,
  },
  {
    id: 'pathlen::self-issued-certs-pathlen',
    verdict: 'valid',
    links: [
      { extensions: [subjectKeyId(1)] },
      { cn: 'A', pathLength: 1, extensions: [subjectKeyId(2), authorityKeyId(1)] },
      { cn: 'A', pathLength: 1, extensions: [subjectKeyId(3), authorityKeyId(2)] },
      { cn: 'B', pathLength: 0, extensions: [subjectKeyId(4), authorityKeyId(3)] },
      {},
    ],
    client: 'name_repeated',
    clientDiffers: SELF_ISSUED,
  },
  {
    id: 'rfc5280::unknown-critical-extension-ee',
    verdict: 'invalid',
    links: [{}, { extensions: [unknown] }],
    client: 'critical_extension_unknown',
  },
  {
    id: 'rfc5280::unknown-critical-extension-root',
    verdict: 'invalid',
    links: [{ extensions: [unknown] }, {}],
    client: 'critical_extension_unknown',
  },
  {
    id: 'rfc5280::unknown-critical-extension-intermediate',
    verdict: 'invalid',
    links: [{}, { pathLength: 0, extensions: [unknown] }, {}],
    client: 'critical_extension_unknown',
  },
  {
    id: 'rfc5280::unknown-critical-extension-unrelated-root',
    verdict: 'valid',
    make: async (purpose, nowMs) => {
      const [[root, leaf], [odd]] = [
        await makeLinks([{}, {}], purpose, nowMs),
        await makeLinks([{ cn: 'unrelated', extensions: [unknown] }, {}], purpose, nowMs),
      ];
      return { trusted: [odd, root].filter((it) => it !== undefined), presented: leaf ? [leaf] : [] };
    },
  },
  {
    id: 'rfc5280::chain-untrusted-root',
    verdict: 'invalid',
    make: async (purpose, nowMs) => {
      const made = await makeLinks([{}, {}, {}], purpose, nowMs);
      const [other] = await makeLinks([{}, {}], purpose, nowMs);
      return { trusted: other ? [other] : [], presented: made.slice(1).reverse() };
    },
    client: 'unknown_ca',
  },
  {
    id: 'rfc5280::intermediate-ca-without-ca-bit',
    verdict: 'invalid',
    links: [{}, { ca: false }, {}],
    client: 'issuer_not_a_ca',
  },
  {
    id: 'rfc5280::intermediate-ca-missing-basic-constraints',
    verdict: 'invalid',
    links: [{}, { ca: null }, {}],
    client: 'issuer_not_a_ca',
  },
  {
    id: 'rfc5280::root-missing-basic-constraints',
    verdict: 'invalid',
    links: [{ ca: null }, {}],
    client: 'issuer_not_a_ca',
    serverDiffers: TRUSTED_AS_GIVEN,
  },
  {
    id: 'rfc5280::root-non-critical-basic-constraints',
    verdict: 'invalid',
    links: [
      { ca: null, extensions: [new Extension('2.5.29.19', false, new Uint8Array([0x30, 3, 1, 1, 0xff]))] },
      {},
    ],
    clientDiffers: PROFILE,
    serverDiffers: PROFILE,
  },
  {
    id: 'rfc5280::root-inconsistent-ca-extensions',
    verdict: 'invalid',
    links: [{ keyUsage: KeyUsageFlags.cRLSign }, {}],
    client: 'issuer_not_a_ca',
  },
  {
    id: 'rfc5280::ica-ku-keycertsign',
    verdict: 'invalid',
    links: [{}, { pathLength: 0, keyUsage: KeyUsageFlags.cRLSign }, {}],
    client: 'issuer_not_a_ca',
  },
  {
    id: 'rfc5280::leaf-ku-keycertsign',
    verdict: 'invalid',
    links: [{}, { keyUsage: KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign }],
    clientDiffers: PROFILE,
    serverDiffers: PROFILE,
  },
  {
    id: 'rfc5280::ca-as-leaf',
    verdict: 'valid',
    links: [{}, { ca: true, keyUsage: KeyUsageFlags.keyCertSign }],
    client: 'not_a_client_certificate',
    clientDiffers: LEAF_ONLY,
    serverDiffers: SERVER_CA,
  },
  { id: 'rfc5280::no-basicconstraints', verdict: 'valid', links: [{}, { ca: null }] },
  {
    id: 'rfc5280::root-and-intermediate-swapped',
    verdict: 'valid',
    make: async (purpose, nowMs) => {
      const [root, middle, leaf] = await makeLinks([{}, {}, {}], purpose, nowMs);
      return root && middle && leaf
        ? { trusted: [middle], presented: [leaf, root] }
        : { trusted: [], presented: [] };
    },
    client: 'unknown_ca',
    clientDiffers: ONLY_ROOTS,
    serverDiffers: 'the same of OpenSSL, without X509_V_FLAG_PARTIAL_CHAIN',
  },
  {
    id: 'rfc5280::duplicate-extensions',
    verdict: 'invalid',
    links: [{}, { extensions: [subjectKeyId(1), subjectKeyId(1)] }],
    client: 'malformed',
  },
  {
    id: 'rfc5280::aki::critical-aki',
    verdict: 'invalid',
    links: [{ extensions: [subjectKeyId(1)] }, { extensions: [authorityKeyId(1, true)] }],
    client: 'critical_extension_unknown',
  },
  {
    id: 'rfc5280::ski::critical-ski',
    verdict: 'invalid',
    links: [{}, { extensions: [subjectKeyId(1, true)] }],
    client: 'critical_extension_unknown',
  },
  {
    id: 'rfc5280::aki::leaf-missing-aki',
    verdict: 'invalid',
    links: [{ extensions: [subjectKeyId(1)] }, {}],
    clientDiffers: PROFILE,
    serverDiffers: PROFILE,
  },
  {
    id: 'webpki::aki::root-with-aki-ski-mismatch',
    verdict: 'invalid',
    links: [{ extensions: [subjectKeyId(1), authorityKeyId(2)] }, {}],
    client: 'unknown_ca',
  },
  { id: 'rfc5280::eku::ee-without-eku', verdict: 'valid', links: [{}, { use: 'none' }] },
  {
    id: 'rfc5280::eku::ee-wrong-eku',
    verdict: 'invalid',
    links: [{}, { use: 'other' }],
    client: 'not_a_client_certificate',
  },
  {
    id: 'rfc5280::eku::ee-eku-empty',
    verdict: 'invalid',
    links: [{}, { use: 'none', extensions: [new Extension('2.5.29.37', false, derOf(0x30))] }],
    client: 'malformed',
  },
  {
    id: 'rfc5280::validity::expired-root',
    verdict: 'invalid',
    links: [{ expired: true }, {}, {}],
    client: 'issuer_expired',
  },
  {
    id: 'rfc5280::validity::expired-intermediate',
    verdict: 'invalid',
    links: [{}, { expired: true }, {}],
    client: 'issuer_expired',
  },
  {
    id: 'rfc5280::validity::expired-leaf',
    verdict: 'invalid',
    links: [{}, {}, { expired: true }],
    client: 'expired',
  },
  {
    id: 'webpki::forbidden-weak-rsa-key-in-root',
    verdict: 'invalid',
    links: [{ algorithm: RSA_1024 }, {}],
    client: 'weak_algorithm',
  },
  {
    id: 'webpki::forbidden-weak-rsa-in-leaf',
    verdict: 'invalid',
    links: [{}, { algorithm: RSA_1024 }],
    client: 'weak_algorithm',
  },
  {
    id: 'pathological::multiple-chains-expired-intermediate',
    verdict: 'valid',
    make: async (purpose, nowMs) => {
      const [elder] = await makeLinks([{ cn: 'elder' }, {}], purpose, nowMs);
      const [root, leaf] = await makeLinks([{ cn: 'younger' }, {}], purpose, nowMs);
      if (!elder || !root || !leaf) return { trusted: [], presented: [] };
      const crossed = { cn: 'younger', keys: root.keys, expired: true };
      return {
        trusted: [root, elder],
        presented: [leaf, await makeLink(crossed, placeOf(purpose, nowMs), elder)],
      };
    },
  },
  {
    id: 'pathological::intermediate-cycle-distinct-cas',
    verdict: 'invalid',
    make: async (purpose, nowMs) => await makeCycle(['A', 'B'], purpose, nowMs),
    client: 'unknown_ca',
  },
  {
    id: 'pathological::intermediate-cycle-same-logical-ca',
    verdict: 'invalid',
    make: async (purpose, nowMs) => await makeCycle(['A', 'A'], purpose, nowMs),
    client: 'name_repeated',
  },
  ...(['distinct', 'same'] as const).map(
    (subject): PathCase => ({
      id: `pathological::pathological-chain-${subject}-subject-distinct-key`,
      verdict: 'invalid',
      make: async (purpose, nowMs) => {
        const below = Array.from({ length: 60 }, () => (subject === 'same' ? { cn: 'A' } : {}));
        const made = await makeLinks([...below, {}], purpose, nowMs);
        const [root] = await makeLinks([{ cn: 'elsewhere' }, {}], purpose, nowMs);
        return { trusted: root ? [root] : [], presented: made.slice(1).reverse() };
      },
      client: 'chain_too_long',
    }),
  ),
  ...branching(),
];

function placeOf(purpose: Purpose, nowMs: number): Place {
  return { cn: 'ca', isLeaf: false, purpose, nowMs };
}

/** Two CAs that signed one another, a leaf of the first, and a root that signed neither. */
async function makeCycle(names: readonly [string, string], purpose: Purpose, nowMs: number): Promise<Path> {
  const place = placeOf(purpose, nowMs);
  const [one, two] = [
    await makeLink({ cn: names[0] }, place),
    await makeLink({ cn: names[1], keys: await makeKeys() }, place),
  ];
  const root = await makeLink({ cn: 'elsewhere' }, place);
  const presented = [
    await makeLink({ cn: 'leaf' }, { ...place, isLeaf: true }, one),
    await makeLink({ cn: names[0], keys: one.keys }, place, two),
    await makeLink({ cn: names[1], keys: two.keys }, place, one),
  ];
  return { trusted: [root], presented };
}

/** BetterTLS "pathbuilding": of two certificates for one CA one is bad. A path through the other must be found. */
function branching(): PathCase[] {
  const bad: readonly (readonly [string, Link, NonNullable<PathCase['client']>])[] = [
    ['EXPIRED', { expired: true }, 'issuer_expired'],
    ['NAME_CONSTRAINTS', { permitted: ['dns:elsewhere.test'] }, 'name_not_permitted'],
    ['BAD_EKU', { use: 'other' }, 'issuer_not_for_clients'],
    ['MISSING_BASIC_CONSTRAINTS', { ca: null }, 'issuer_not_a_ca'],
    ['NOT_A_CA', { ca: false }, 'issuer_not_a_ca'],
    ['DEPRECATED_CRYPTO', { hash: 'SHA-1' }, 'weak_algorithm'],
  ];
  return bad.flatMap(([reason, spoiled, client]): PathCase[] => {
    const make = (order: 'alone' | 'first' | 'second') => async (purpose: Purpose, nowMs: number) => {
      const [root, good, leaf] = await makeLinks([{}, { cn: 'branch' }, {}], purpose, nowMs);
      if (!root || !good || !leaf) return { trusted: [], presented: [] };
      const link = { cn: 'branch', keys: good.keys, ...spoiled };
      const other = await makeLink(link, placeOf(purpose, nowMs), root);
      const between = { alone: [other], first: [other, good], second: [good, other] }[order];
      return { trusted: [root], presented: [leaf, ...between] };
    };
    const id = `bettertls::pathbuilding ${reason}`;
    return [
      { id: `${id}, the only way`, verdict: 'invalid', make: make('alone'), client },
      {
        id: `${id}, the first of two ways`,
        verdict: 'valid',
        make: make('first'),
        // Times are the one thing that OpenSSL looks at while it still chooses.
        ...(reason === 'EXPIRED' ? {} : { serverDiffers: ONE_WAY }),
      },
      { id: `${id}, the second of two ways`, verdict: 'valid', make: make('second') },
    ];
  });
}
