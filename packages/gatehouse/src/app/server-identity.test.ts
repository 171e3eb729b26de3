import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateInternalCa } from '#base/pki/generate';
import { createLog } from '#base/runtime/log';
import { createExpiryWarning } from './server-identity.ts';

const DAY_MS = 86_400_000;

test('F-15 the end of a server certificate is announced 30, 14, 7 and 1 days ahead, once each, and told when it has come', async () => {
  const nowMs = Date.now();
  const { certificatePem } = await generateInternalCa({ commonName: 'x', validityMs: 40 * DAY_MS, nowMs });
  const lines: string[] = [];
  const warn = createExpiryWarning(
    createLog({ level: 'info', write: (line) => lines.push(JSON.parse(line).message) }),
  );
  for (let day = 0; day <= 41; day += 0.25) warn(certificatePem, nowMs + day * DAY_MS);
  assert.deepEqual(
    lines,
    [30, 14, 7, 1]
      .map((days) => `the server certificate expires within ${days} days: replace it`)
      .concat('the server certificate has expired: clients refuse it'),
  );
});
