import assert from 'node:assert/strict';
import { callEngine } from '../../../packages/gatehouse/src/core/engine/engine-call.ts';
import {
  decode,
  encode,
  openRawClient,
  WORKFLOW_SERVICE,
} from '../../../packages/gatehouse/src/testing/grpc-client.ts';
import type { House } from '../../../packages/gatehouse/src/testing/house.ts';

type Fields = Record<string, unknown>;
// biome-ignore lint/suspicious/noExplicitAny: messages are dynamic here, and tests name the fields they expect.
export type Reply = any;

/** One namespace, as it is seen from somewhere. */
export interface Reader {
  readonly namespace: string;
  /** A call of WorkflowService that must succeed. @returns its reply. */
  ask(method: string, fields?: Fields): Promise<Reply>;
  close(): void;
}

/** What a tenant's own client sees. */
export function openTenantReader(house: House, namespace: string): Reader {
  const client = openRawClient({
    endpoint: house.endpoint,
    certificateOf: namespace,
    serverName: `${namespace}.${house.endpoint.domain}`,
  });
  return {
    namespace,
    async ask(method, fields = {}) {
      const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
      const answer = await client.call(WORKFLOW_SERVICE + method, request);
      assert.equal(answer.status, 0, `${method}: ${answer.message} ${answer.failure}`);
      return decode(`workflowservice.v1.${method}Response`, answer.body);
    },
    close: () => client.close(),
  };
}

/** What the engine itself holds, past the gateway. */
export function openEngineReader(house: House, namespace: string): Reader {
  return {
    namespace,
    async ask(method, fields = {}) {
      const { engine } = house.up.platform;
      const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
      const token = engine.tokens.mintToken('', 'system-admin');
      const answer = await callEngine(engine, WORKFLOW_SERVICE + method, request, token);
      assert.equal(answer.status, 0, `${method}: ${answer.message}`);
      return decode(`workflowservice.v1.${method}Response`, answer.body);
    },
    close: () => undefined,
  };
}
