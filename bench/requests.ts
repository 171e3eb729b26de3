import { field, grpcFrame, message, numberField } from './protobuf.ts';

/** One call as an SDK sends it: HTTP/2 headers as a flat list, and one gRPC frame. */
export interface PreparedCall {
  readonly headers: string[];
  readonly body: Buffer;
}

/** Who asks, and for which namespace. */
export interface Caller {
  /** Name of the endpoint, sent as `:authority`. */
  readonly serverName: string;
  readonly namespace: string;
  readonly authorization?: string;
  readonly payloadBytes?: number;
}

const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

/** Payload of a call of about 300 bytes. */
const SMALL_BYTES = 115;

/** Name of the SDK process in every request that has an identity field. */
export const IDENTITY = '4242@bench-worker';

/** A signal of about 300 bytes, the size the reference measurements used, or with a larger payload. */
export function signalCall(caller: Caller): PreparedCall {
  const execution = message(
    field(1, 'order-7f3c2a10-52f1-4a67'),
    field(2, '0190f7a2-0000-7000-8000-5b2f7c3a9d10'),
  );
  const request = message(
    field(1, caller.namespace),
    field(2, execution),
    field(3, 'status-changed'),
    field(4, jsonPayloads(`{"note":"${'x'.repeat((caller.payloadBytes ?? SMALL_BYTES) - 11)}"}`)),
    field(5, IDENTITY),
    field(6, '4f9c1d1e-5a0b-4b8e-9c41-0d7f3f1b6a55'),
  );
  return prepare(caller, 'SignalWorkflowExecution', '10S', request);
}

/** A long poll that stays parked longer than any measurement here lasts. */
export function pollCall(caller: Caller): PreparedCall {
  const request = message(field(1, caller.namespace), field(2, taskQueue('bench-queue')), field(3, IDENTITY));
  return prepare(caller, 'PollWorkflowTaskQueue', '180S', request);
}

/** `Payloads` with one JSON payload. */
export function jsonPayloads(json: string): Buffer {
  const encoding = message(field(1, 'encoding'), field(2, 'json/plain'));
  return field(1, message(field(1, encoding), field(2, json)));
}

/** A `TaskQueue` of the normal kind. */
export function taskQueue(name: string): Buffer {
  return message(field(1, name), numberField(2, 1));
}

/** @param timeout value of the `grpc-timeout` header: at most eight digits and a unit letter. */
export function prepare(caller: Caller, method: string, timeout: string, request: Buffer): PreparedCall {
  const headers = [':method', 'POST', ':scheme', 'https', ':authority', caller.serverName];
  headers.push(':path', SERVICE + method, 'content-type', 'application/grpc', 'te', 'trailers');
  headers.push('grpc-timeout', timeout, 'user-agent', 'grpc-node-js/1.14.7');
  headers.push('temporal-namespace', caller.namespace);
  headers.push('client-name', 'temporal-typescript', 'client-version', '1.24.0');
  if (caller.authorization !== undefined) headers.push('authorization', caller.authorization);
  return { headers, body: grpcFrame(request) };
}
