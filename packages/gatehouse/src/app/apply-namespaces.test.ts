import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCaBundle } from '#base/pki/ca-bundle';
import type { Directory } from '#base/store/directory';
import { publicRoots } from '#base/wire/public-roots';
import { judgeNamespaces } from './apply-namespaces.ts';

const empty = {
  snapshot: () => ({ revision: 0, confirmedAtMs: 0, namespaces: new Map() }),
} as unknown as Directory;

/** A public root that is acceptable in every other way, so that being public is the one cause. */
function acceptablePublicRoot(nowMs: number): string {
  const found = publicRoots.find((pem) => {
    try {
      parseCaBundle(pem, { nowMs, hasFilters: false });
      return true;
    } catch {
      // Some public roots break another rule, such as the signature's hash.
      return false;
    }
  });
  return found ?? assert.fail('the runtime carries no acceptable public root');
}

test('T-014 a public CA is refused for a namespace without certificate filters, and taken with them', () => {
  const nowMs = Date.now();
  const caPem = acceptablePublicRoot(nowMs);
  const [fault] = judgeNamespaces(empty, [{ id: 'orders.acme1', caPem }], nowMs);
  assert.equal(fault?.field, 'caPem');
  const filtered = { id: 'orders.acme1', caPem, certificateFilters: [{ commonName: 'worker' }] };
  assert.deepEqual(judgeNamespaces(empty, [filtered], nowMs), []);
});
