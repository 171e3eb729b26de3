import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Frame } from '#base/model/frame';
import { refuse } from '#base/model/refusals';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import type { CallAnswer, PermittedCall } from './identified-call.ts';
import { tellLimits } from './told-limits.ts';
import type { OutgoingRequest } from './transform-request.ts';

const WORKFLOW_SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';
const GET_CLUSTER_INFO = `${WORKFLOW_SERVICE}GetClusterInfo`;
const DESCRIBE_NAMESPACE = `${WORKFLOW_SERVICE}DescribeNamespace`;
const GET_SEARCH_ATTRIBUTES = `${WORKFLOW_SERVICE}GetSearchAttributes`;
const LIST_SEARCH_ATTRIBUTES = '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes';

/** What the gateway says of the cluster: nothing of the engine's own (data-plane.md 1.1, GetClusterInfo). */
const CLUSTER_NAME = 'gatehouse';

/** Answers a method that never reaches the engine. */
export function answerByGateway(call: PermittedCall): CallAnswer {
  if (call.head.path !== GET_CLUSTER_INFO)
    throw refuse('method_unknown', { detail: 'no answer of the gateway' });
  // GetClusterInfoResponse.cluster_name is field 5.
  const message = new BinaryWriter().tag(5, 2).string(CLUSTER_NAME).finish();
  return { status: 0, message: '', frame: toFrame(message), details: undefined, headers: [] };
}

/**
 * Where a call goes. GetSearchAttributes is a cluster-wide call that would show columns of the store, so it
 * is answered from the operator service's list for this namespace.
 */
export function engineRequestOf(
  call: PermittedCall,
  request: OutgoingRequest,
): { readonly path: string; readonly frame: Frame } {
  if (call.head.path !== GET_SEARCH_ATTRIBUTES) return { path: call.head.path, frame: request.frame };
  // ListSearchAttributesRequest.namespace is field 1.
  const message = new BinaryWriter().tag(1, 2).string(call.namespace.id).finish();
  return { path: LIST_SEARCH_ATTRIBUTES, frame: toFrame(message) };
}

/** The engine's reply in the form of the method that was called. */
export function fromEngineReply(call: PermittedCall, frame: Buffer): Buffer {
  if (call.head.path === DESCRIBE_NAMESPACE && call.namespace.sealing !== 'off')
    return toFrame(tellLimits(frame.subarray(PREFIX_BYTES)));
  if (call.head.path !== GET_SEARCH_ATTRIBUTES) return frame;
  // ListSearchAttributesResponse: custom_attributes = 1, system_attributes = 2, both map<string, enum>;
  // GetSearchAttributesResponse.keys = 1 of the same entry type, so entries are copied as they are.
  const reader = new BinaryReader(frame.subarray(PREFIX_BYTES));
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if ((field === 1 || field === 2) && type === 2) writer.tag(1, 2).bytes(reader.bytes());
    else reader.skip(type, field);
  }
  return toFrame(writer.finish());
}
