import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { messageType } from '#base/proto/api-registry';
import { decode, encode } from '#testing/grpc-client';
import { messageArbitrary } from '#testing/proto/message-arbitrary';
import { SEALS_BYTES, tellLimits } from './told-limits.ts';

const RESPONSE = 'workflowservice.v1.DescribeNamespaceResponse';
const MIB = 1024 * 1024;

test('the limits that a caller is told leave room for the seals', () => {
  const limits = { blobSizeLimitError: BigInt(2 * MIB + SEALS_BYTES), memoSizeLimitError: BigInt(3 * MIB) };
  const told = tellLimits(encode(RESPONSE, { namespaceInfo: { name: 'n', limits } }));
  const { namespaceInfo } = decode(RESPONSE, told);
  assert.equal(namespaceInfo.name, 'n');
  assert.equal(Number(namespaceInfo.limits.blobSizeLimitError), 2 * MIB);
  assert.equal(Number(namespaceInfo.limits.memoSizeLimitError), 3 * MIB - SEALS_BYTES);
});

test('all else of the reply stays as it is', () => {
  const type = messageType(`temporal.api.${RESPONSE}`);
  const property = fc.property(messageArbitrary(type), ({ message }) => {
    const bytes = toBinary(type, message);
    const without = (reply: Uint8Array): Uint8Array => {
      const decoded = decode(RESPONSE, reply);
      if (decoded.namespaceInfo !== undefined) decoded.namespaceInfo.limits = undefined;
      return toBinary(type, decoded);
    };
    assert.deepEqual(without(tellLimits(bytes)), without(bytes));
  });
  fc.assert(property, { numRuns: 200 });
});
