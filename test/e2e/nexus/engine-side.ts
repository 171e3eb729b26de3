import assert from 'node:assert/strict';
import { callEngine } from '../../../packages/gatehouse/src/core/engine/engine-call.ts';
import { decode, encode, WORKFLOW_SERVICE } from '../../../packages/gatehouse/src/testing/grpc-client.ts';
import type { House } from '../../../packages/gatehouse/src/testing/house.ts';
import type { Reply } from '../raw-tenant.ts';

/** A call to the engine past the gateway, as somebody who has its token. It must succeed. */
export async function askEngine(
  house: House,
  namespace: string,
  method: string,
  fields: Record<string, unknown>,
): Promise<Reply> {
  const { engine } = house.up.platform;
  const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
  const token = engine.tokens.mintToken('', 'system-admin');
  const answer = await callEngine(engine, WORKFLOW_SERVICE + method, request, token);
  assert.equal(answer.status, 0, `${method}: ${answer.message}`);
  return decode(`workflowservice.v1.${method}Response`, answer.body);
}

/** The payload that the engine holds as the result of a workflow. */
export async function storedResult(house: House, namespace: string, workflowId: string): Promise<Reply> {
  const execution = { workflowId };
  const { history } = await askEngine(house, namespace, 'GetWorkflowExecutionHistory', { execution });
  const { attributes } = history.events.at(-1);
  assert.equal(attributes.case, 'workflowExecutionCompletedEventAttributes');
  return attributes.value.result.payloads[0];
}
