import assert from 'node:assert/strict';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';
import { encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { House } from '../../packages/gatehouse/src/testing/house.ts';
import { jsonPayload } from './canary-tenant.ts';
import { type RawTenant, until } from './raw-tenant.ts';

/** enums.v1.IndexedValueType */
export const KEYWORD = 2;
export const INT = 3;
export const KEYWORD_LIST = 7;

/** Makes search attributes in the engine, as its operator does. They can be used some seconds later. */
export async function addSearchAttributes(
  house: House,
  namespace: string,
  searchAttributes: Readonly<Record<string, number>>,
): Promise<void> {
  const { engine } = house.up.platform;
  const request = encode('operatorservice.v1.AddSearchAttributesRequest', { namespace, searchAttributes });
  const path = '/temporal.api.operatorservice.v1.OperatorService/AddSearchAttributes';
  const answer = await callEngine(engine, path, request, engine.tokens.mintToken('', 'system-admin'));
  assert.equal(answer.status, 0, answer.message);
}

/** Values of search attributes, as a request has them. */
export function attributes(values: Readonly<Record<string, unknown>>): {
  readonly indexedFields: Readonly<Record<string, unknown>>;
} {
  const entries = Object.entries(values).map(([name, value]) => [name, jsonPayload(value)] as const);
  return { indexedFields: Object.fromEntries(entries) };
}

/** Waits until the engine takes these attributes, which a workflow that nobody runs shows. */
export async function untilAttributesWork(
  tenant: RawTenant,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  await until('the engine takes the new attributes', async () => {
    const answer = await tenant.call('StartWorkflowExecution', {
      workflowId: 'attributes-work',
      workflowType: { name: 'nobody' },
      taskQueue: { name: 'nobody' },
      requestId: 'attributes-work',
      searchAttributes: attributes(values),
    });
    return answer.status === 0;
  });
}
