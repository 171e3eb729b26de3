import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleOf, verify } from './client-certificate-fixture.test.ts';
import { makeLink, type Place } from './made-path-fixture.test.ts';
import { NOW_MS } from './testing-certificates.test.ts';

const place: Place = { cn: 'ca', isLeaf: false, purpose: 'clientAuth', nowMs: NOW_MS };
const root = await makeLink({ cn: 'root' }, place);
const bundle = bundleOf(root);

type Where = 'none' | 'inside' | 'outside';
const wheres: readonly Where[] = ['none', 'inside', 'outside'];
const names = { none: [], inside: ['dns:a.inside.test'], outside: ['dns:a.outside.test'] };
const addresses = { none: [], inside: ['ip:7f000001'], outside: ['ip:01010101'] };
const trees = { none: [], inside: ['dns:inside.test'], outside: ['dns:outside.test'] };
const ranges = { none: [], inside: ['ip:7f000000ffffff00'], outside: ['ip:01010100ffffff00'] };

function pairs<T>(make: (name: Where, address: Where) => T): T[] {
  return wheres.flatMap((name) => wheres.map((address) => make(name, address)));
}

/** RFC 5280 section 4.2.1.10, for one kind of name. */
function isAllowed(own: Where, permitted: Where, excluded: Where): boolean {
  return own === 'none' || ((permitted === 'none' || permitted === own) && excluded !== own);
}

const orAbsent = (list: readonly string[]): readonly string[] | undefined =>
  list.length === 0 ? undefined : list;

test('T-013 every combination of names with permitted and excluded ones, as BetterTLS has them, is judged by the rule', async () => {
  let judged = 0;
  let admitted = 0;
  for (const permitted of pairs((name, address) => ({ name, address })))
    for (const excluded of pairs((name, address) => ({ name, address }))) {
      const constraints = {
        permitted: orAbsent([...trees[permitted.name], ...ranges[permitted.address]]),
        excluded: orAbsent([...trees[excluded.name], ...ranges[excluded.address]]),
      };
      const ca = await makeLink({ cn: 'between', ...constraints }, place, root);
      for (const own of pairs((name, address) => ({ name, address }))) {
        const san = [...names[own.name], ...addresses[own.address]];
        const leaf = await makeLink({ cn: 'leaf', san }, { ...place, isLeaf: true }, ca);
        const verdict = verify([leaf, ca], bundle);
        const expected =
          isAllowed(own.name, permitted.name, excluded.name) &&
          isAllowed(own.address, permitted.address, excluded.address);
        assert.equal(verdict.admitted, expected, JSON.stringify({ permitted, excluded, own }));
        judged += 1;
        if (verdict.admitted) admitted += 1;
      }
    }
  assert.equal(judged, 729);
  // Of one kind of name 17 of 27 are allowed: 9 without a name, and 4 for each of the two places.
  assert.equal(admitted, 17 ** 2);
});

/** A CA that excludes so many names, and a leaf that has so many others: each within the size of a certificate. */
async function judgeMany(count: number): Promise<{ readonly said: string; readonly tookMs: number }> {
  const each = (make: (at: number) => string): string[] => Array.from({ length: count }, (_, at) => make(at));
  const ca = await makeLink({ cn: 'between', excluded: each((at) => `dns:${at}.test`) }, place, root);
  const san = each((at) => `dns:x${at}.other.test`);
  const leaf = await makeLink({ cn: 'leaf', san }, { ...place, isLeaf: true }, ca);
  const startedMs = performance.now();
  const verdict = verify([leaf, ca], bundle);
  return { said: verdict.admitted ? 'admitted' : verdict.reason, tookMs: performance.now() - startedMs };
}

test('T-013 two hundred constraints on two hundred names are judged, and admitted where none is broken', async () => {
  assert.equal((await judgeMany(200)).said, 'admitted');
});

test('T-013 many constraints on many names, as x509-limbo "nc-dos" has them, are refused in bounded time', async () => {
  const { said, tookMs } = await judgeMany(1500);
  assert.equal(said, 'chain_too_complex');
  assert.ok(tookMs < 200, `${tookMs} ms`);
});
