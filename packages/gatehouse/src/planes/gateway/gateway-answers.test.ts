import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeFrame } from '#base/model/frame';
import { decode, encode } from '#testing/grpc-client';
import { answerByGateway, engineRequestOf, fromEngineReply } from './gateway-answers.ts';
import { frameOf, OWN, permitted, refusal } from './transform-fixture.test.ts';

const request = { frame: frameOf(new Uint8Array(0)), question: '', aboutReserved: false, note: '' };

test('GetClusterInfo is answered with a name and nothing of the engine', () => {
  const { frame, status } = answerByGateway(permitted('GetClusterInfo'));
  assert.ok(frame);
  const { $typeName: _, ...info } = decode(
    'workflowservice.v1.GetClusterInfoResponse',
    wholeFrame(frame).subarray(5),
  );
  assert.equal(status, 0);
  assert.equal(info.clusterName, 'gatehouse');
  assert.deepEqual([info.serverVersion, info.clusterId, info.historyShardCount], ['', '', 0]);
});

test('no other method is answered here', () => {
  assert.throws(() => answerByGateway(permitted('GetSystemInfo')), refusal('method_unknown'));
});

test("GetSearchAttributes goes to the list of the caller's own namespace, whatever the request says", () => {
  const call = permitted('GetSearchAttributes');
  const target = engineRequestOf(call, request);
  assert.equal(target.path, '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes');
  const sent = decode('operatorservice.v1.ListSearchAttributesRequest', wholeFrame(target.frame).subarray(5));
  assert.equal(sent.namespace, OWN);
});

test('of the list both kinds of attributes become keys, and columns of the store are left out', () => {
  const list = encode('operatorservice.v1.ListSearchAttributesResponse', {
    customAttributes: { Customer: 2, Amount: 3 },
    systemAttributes: { WorkflowId: 2 },
    storageSchema: { Keyword01: 'keyword' },
  });
  const frame = fromEngineReply(permitted('GetSearchAttributes'), frameOf(list));
  const { keys } = decode('workflowservice.v1.GetSearchAttributesResponse', frame.subarray(5));
  assert.deepEqual(keys, { Customer: 2, Amount: 3, WorkflowId: 2 });
});

test('every other call goes where it was sent, and its reply is left as it is', () => {
  const call = permitted('ListWorkflowExecutions');
  assert.deepEqual(engineRequestOf(call, request), { path: call.head.path, frame: request.frame });
  assert.equal(fromEngineReply(call, request.frame), request.frame);
});
