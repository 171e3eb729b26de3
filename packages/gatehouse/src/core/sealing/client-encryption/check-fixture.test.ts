// No test itself: requests of one namespace, checked as the gateway does it.
import assert from 'node:assert/strict';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal } from '#base/model/refusals';
import { MessageScanner } from '#base/proto/scan-message';
import { type MethodTable, methodTables, requestTables } from '#base/proto/wire-tables';
import { encode } from '#testing/grpc-client';
import { namespaceRecord } from '#testing/namespace-record';
import { checkClientEncryption } from './check-client-encryption.ts';

export const scanner: MessageScanner = new MessageScanner(requestTables, { reply: false });

export const requiring: NamespaceRecord = namespace('require');
export const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"a canary"') };
export const encrypted = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('x') };

export function namespace(
  clientEncryption: NamespaceRecord['clientEncryption'],
  ...plaintextAllowed: string[]
): NamespaceRecord {
  return namespaceRecord({
    id: 'orders.acme1',
    uuid: '3f0f8a52-5d2b-4b56-9d5e-1f7f1f5b8e11',
    clientEncryption,
    plaintextAllowed,
  });
}

export function methodOf(name: string): MethodTable {
  const found = methodTables.get(`/temporal.api.workflowservice.v1.WorkflowService/${name}`);
  assert.ok(found !== undefined, name);
  return found;
}

/** What is reported, or the path that is refused. */
export function check(record: NamespaceRecord, method: MethodTable, message: Uint8Array): string {
  // As in a frame, where something stands before it.
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  assert.ok(scanner.scan(method.request, frame, 5), `${method.name}: ${scanner.faultAt}`);
  try {
    return checkClientEncryption(scanner, record, method);
  } catch (error) {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'plaintext_refused');
    return `refused ${error.message.slice(error.message.indexOf(': ') + 2)}`;
  }
}

export const request = (method: string, fields: Record<string, unknown>): Uint8Array =>
  encode(`workflowservice.v1.${method}Request`, fields);

/** What becomes of a request whose single word must be allowed. */
export function outcome(method: string, fields: Record<string, unknown>, ...allowed: string[]): string {
  return check(namespace('require', ...allowed), methodOf(method), request(method, fields));
}
