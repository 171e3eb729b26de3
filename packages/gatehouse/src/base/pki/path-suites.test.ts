import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleOf, verify } from './client-certificate-fixture.test.ts';
import { type PathCase, pathOf } from './path-case-fixture.test.ts';
import { authorityCases } from './path-cases-authority-fixture.test.ts';
import { nameCases } from './path-cases-names-fixture.test.ts';
import { NOW_MS } from './testing-certificates.test.ts';

/** Hostile paths are judged in bounded time. Ours take a few milliseconds. */
const JUDGED_MS = 1000;

for (const [suite, cases] of Object.entries({ authorityCases, nameCases }))
  describe(`T-013 clients by the path suites: ${suite}`, () => {
    for (const each of cases.filter(({ only }) => only !== 'serverAuth'))
      it(titleOf(each), async () => {
        const { trusted, presented } = await pathOf(each, 'clientAuth', NOW_MS);
        const bundle = bundleOf(...trusted);
        const startedMs = performance.now();
        const verdict = verify(presented, bundle);
        assert.ok(performance.now() - startedMs < JUDGED_MS);
        assert.equal(verdict.admitted ? undefined : verdict.reason, each.client);
        const isAsTheySay = verdict.admitted === (each.verdict === 'valid');
        assert.equal(
          each.clientDiffers === undefined,
          isAsTheySay,
          'a difference has its reason, and only one has',
        );
      });
  });

function titleOf({ id, client, clientDiffers }: PathCase): string {
  const verdict = client === undefined ? 'is admitted' : `is refused (${client})`;
  return `T-013 ${id} ${verdict}${clientDiffers === undefined ? '' : `, unlike there: ${clientDiffers}`}`;
}
