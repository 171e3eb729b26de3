import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { refuse } from '#base/model/refusals';
import { engineApiRegistry, messageType } from '#base/proto/api-registry';
import { methodPaths } from '#core/access/method-access';
import { callClassOf } from '#core/limits/call-class';
import { exhaustedAnswer } from './exhausted-answer.ts';
import { readFlag } from './flat-message.ts';

/** Not searches: the partitions and the times of one object, and the schema's own columns. */
const NO_SEARCHES = [
  'ListTaskQueuePartitions',
  'ListScheduleMatchingTimes',
  'ListSearchAttributes',
  'ListNamespaces',
  'ListWorkflowRules',
];

test('every method that lists, counts or scans has the rate of searches, and every poll is held', () => {
  for (const path of methodPaths()) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const { rate, holds, reserve } = callClassOf(path);
    if (/^(List|Count|Scan)/.test(name)) {
      assert.equal(rate, NO_SEARCHES.includes(name) ? 'calls' : 'visibility', name);
    }
    if (name.startsWith('Poll')) assert.notEqual(holds, 'nothing', name);
    if (name.startsWith('Start') || name.startsWith('Signal')) assert.equal(reserve, 0, name);
  }
});

test('a limit is told as the engine tells its own: headers, detail and text', () => {
  const answer = exhaustedAnswer(refuse('namespace_rate_limit'));
  assert.deepEqual(answer?.headers, [
    'x-resource-exhausted-cause',
    'RPS_LIMIT',
    'x-resource-exhausted-scope',
    'NAMESPACE',
  ]);
  assert.equal(answer?.retryAfterSeconds, 1);
  const type = messageType('google.rpc.Status');
  const status = fromBinary(type, Buffer.from(answer?.details ?? '', 'base64'));
  assert.deepEqual(toJson(type, status, { registry: engineApiRegistry() }), {
    code: 8,
    message: 'namespace rate limit exceeded',
    details: [
      {
        '@type': 'type.googleapis.com/temporal.api.errordetails.v1.ResourceExhaustedFailure',
        cause: 'RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT',
        scope: 'RESOURCE_EXHAUSTED_SCOPE_NAMESPACE',
      },
    ],
  });
  const poller = fromBinary(
    type,
    Buffer.from(exhaustedAnswer(refuse('namespace_poller_limit'))?.details ?? '', 'base64'),
  );
  assert.match(
    JSON.stringify(toJson(type, poller, { registry: engineApiRegistry() })),
    /CAUSE_CONCURRENT_LIMIT/,
  );
  assert.equal(exhaustedAnswer(refuse('message_too_large')), undefined);
  assert.equal(exhaustedAnswer(refuse('method_unknown')), undefined);
});

test('a history request that waits for an event is told from one that does not, whatever stands around', () => {
  const type = messageType('temporal.api.workflowservice.v1.GetWorkflowExecutionHistoryRequest');
  const text = fc.string({ maxLength: 300 });
  const request = fc.record({
    namespace: text,
    execution: fc.record({ workflowId: text, runId: text }),
    maximumPageSize: fc.nat(),
    nextPageToken: fc.uint8Array({ maxLength: 300 }),
    waitNewEvent: fc.boolean(),
    historyEventFilterType: fc.nat(2),
    skipArchival: fc.boolean(),
  });
  fc.assert(
    fc.property(request, fc.nat(900), (fields, cut) => {
      const bytes = toBinary(type, create(type, fields));
      assert.equal(readFlag(bytes, 5), fields.waitNewEvent);
      // The last one counts, also where its tag or value is written longer than need be.
      assert.equal(readFlag(Buffer.concat([bytes, Buffer.of(0x28, 0)]), 5), false);
      assert.equal(readFlag(Buffer.concat([bytes, Buffer.of(0xa8, 0x80, 0, 0x81, 0)]), 5), true);
      readFlag(bytes.subarray(0, cut), 5);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => typeof readFlag(bytes, 5) === 'boolean'),
  );
});
