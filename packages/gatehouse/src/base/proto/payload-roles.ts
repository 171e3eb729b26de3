import { type FieldRule, rule } from './field-rule.ts';
import type { RoleName } from './role.ts';

/** A field of type Payload that is not simply one, with the reason. */
interface PayloadPlace {
  /** Message type without `temporal.api.`. */
  readonly message: string;
  readonly field: string;
  readonly role: RoleName;
  readonly why: string;
}

const place = (message: string, field: string, role: RoleName, why: string): PayloadPlace => ({
  message,
  field,
  role,
  why,
});

/** Every other field of type Payload, wherever it stands, has the role `payload` (data-plane.md section 3). */
const payloadPlaces: readonly PayloadPlace[] = [
  place('common.v1.SearchAttributes', 'indexed_fields', 'attributePayload', 'read and indexed by the engine'),
  place('common.v1.Memo', 'fields', 'memoPayload', 'an empty value deletes the entry'),
  place('common.v1.Header', 'fields', 'headerPayload', 'some are written by SDKs without their codec'),
  place('failure.v1.Failure', 'encoded_attributes', 'failureAttributes', 'hides the texts of a failure'),
  place('compute.v1.ComputeProvider', 'details', 'none', 'read by the engine'),
  place('compute.v1.ComputeScaler', 'details', 'none', 'read by the engine'),
  ...['CountWorkflowExecutionsResponse', 'CountSchedulesResponse', 'CountActivityExecutionsResponse'].map(
    (message) =>
      place(
        `workflowservice.v1.${message}.AggregationGroup`,
        'group_values',
        'none',
        'made by the engine: the status of workflows',
      ),
  ),
  place('nexus.v1.EndpointSpec', 'description', 'none', 'only in methods of the operator service'),
];

/** The role of a field of type Payload; of the values, where it is a map. */
export function payloadRoleOf(message: string, field: string): RoleName {
  const found = payloadPlaces.find((each) => each.message === message && each.field === field);
  return found?.role ?? 'payload';
}

const NEXUS = 'payloads of the other side of a Nexus operation, under its keys';

/** Places of sealed content that are not of type Payload, and those where keys of another namespace count. */
export const payloadRules: readonly FieldRule[] = [
  rule('both', 'failure.v1.Failure', 'message', 'failureMessage', "a Worker's own words"),
  rule('both', 'failure.v1.Failure', 'stack_trace', 'failureStackTrace', "a Worker's own words"),
  ...['workflowservice.v1.RespondQueryTaskCompletedRequest', 'query.v1.WorkflowQueryResult'].map((message) =>
    rule('both', message, 'error_message', 'privateText', "a Worker's own words, no payload"),
  ),
  rule(
    'request',
    'nexus.v1.StartOperationResponse',
    'operation_error',
    'nexusOperationError',
    "a Worker's own words, and JSON for the caller's history",
  ),
  rule(
    'request',
    'workflowservice.v1.RespondNexusTaskFailedRequest',
    'error',
    'nexusHandlerError',
    'as above',
  ),
  // Not the scheduled event: its input is of the caller itself.
  ...['completed', 'failed', 'canceled', 'timed_out', 'cancel_request_failed'].map((what) =>
    rule(
      'response',
      'history.v1.HistoryEvent',
      `nexus_operation_${what}_event_attributes`,
      'nexusPlace',
      NEXUS,
    ),
  ),
  rule('response', 'workflowservice.v1.PollNexusTaskQueueResponse', 'request', 'nexusPlace', NEXUS),
  rule(
    'response',
    'workflowservice.v1.DescribeWorkflowExecutionResponse',
    'pending_nexus_operations',
    'nexusPlace',
    NEXUS,
  ),
];
