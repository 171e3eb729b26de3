import { type FieldRule, rule } from './field-rule.ts';
import { payloadRules } from './payload-roles.ts';

/** The hand-written overlay over the schema (data-plane.md sections 2 and 4). */
export const fieldRules: readonly FieldRule[] = [
  rule('both', '*', 'namespace', 'namespace', 'one namespace is decided per call; every mention must be it'),
  rule(
    'both',
    'common.v1.Link.WorkflowEvent',
    'namespace',
    'linkNamespace',
    'a link is stored and shown, never followed; Nexus links caller and handler',
  ),
  rule('both', '*', 'namespace_id', 'namespaceId', 'an id is another way to name a namespace'),
  rule(
    'both',
    '*',
    'parent_namespace_id',
    'namespaceId',
    'the parent of a workflow lives in the same namespace',
  ),
  rule('both', '*', 'parent_workflow_namespace', 'namespace', 'as above, by name'),
  rule('both', '*', 'parent_workflow_namespace_id', 'namespaceId', 'as above'),
  rule(
    'both',
    '*',
    'workflow_namespace',
    'namespace',
    'an activity task belongs to the namespace that polled it',
  ),
  rule(
    'response',
    'namespace.v1.NamespaceInfo',
    'name',
    'namespace',
    'a namespace by its name, without the word in the field',
  ),
  rule('response', 'namespace.v1.NamespaceInfo', 'id', 'namespaceId', 'a namespace by its id'),
  rule(
    'request',
    'workflowservice.v1.DescribeNamespaceRequest',
    'id',
    'namespaceId',
    'names a namespace by id instead of by name (T-021)',
  ),
  rule(
    'both',
    'failure.v1.ChildWorkflowExecutionFailureInfo',
    'namespace',
    'inertNamespace',
    'text of an old failure, stored and shown, never followed',
  ),

  rule(
    'both',
    '*',
    'task_token',
    'activityTaskToken',
    'unsigned by the engine, which acts on the namespace inside it (CVE-2023-3485)',
  ),
  ...[
    'PollWorkflowTaskQueueResponse',
    'RespondWorkflowTaskCompletedRequest',
    'RespondWorkflowTaskFailedRequest',
    'RespondQueryTaskCompletedRequest',
  ].map((message) =>
    rule(
      'both',
      `workflowservice.v1.${message}`,
      'task_token',
      'workflowTaskToken',
      'a workflow or query task, from the same poll',
    ),
  ),
  ...['PollNexusTaskQueueResponse', 'RespondNexusTaskCompletedRequest', 'RespondNexusTaskFailedRequest'].map(
    (message) =>
      rule('both', `workflowservice.v1.${message}`, 'task_token', 'nexusTaskToken', 'a Nexus task'),
  ),
  rule('both', '*', 'next_page_token', 'pageToken', 'unsigned by the engine, which compares it with little'),
  rule('both', '*', 'long_poll_token', 'longPollToken', 'a reference into another component of the engine'),

  rule('request', '*', 'workflow_id', 'workflowId', "ids of the engine's own workflows are reserved (T-101)"),
  rule('request', 'common.v1.Link.WorkflowEvent', 'workflow_id', 'none', 'a link is shown, never followed'),
  rule('request', '*', 'job_id', 'workflowId', 'a batch job is a workflow with this id'),
  rule('request', 'common.v1.Link.BatchJob', 'job_id', 'none', 'a link is shown, never followed'),
  rule(
    'request',
    'common.v1.WorkflowType',
    'name',
    'workflowType',
    "types of the engine's own workflows are reserved",
  ),
  rule(
    'request',
    'taskqueue.v1.TaskQueue',
    'name',
    'taskQueue',
    "queues of the engine's own workers are reserved, also for polls",
  ),
  rule('request', 'taskqueue.v1.TaskQueue', 'normal_name', 'taskQueue', 'the queue behind a sticky one'),
  rule('request', '*', 'task_queue', 'taskQueue', 'as above, as plain text or as a message'),
  rule('request', '*', 'task_queues', 'taskQueue', 'as above'),
  rule('request', '*', 'sticky_task_queue', 'taskQueue', 'as above'),
  rule('request', '*', 'worker_control_task_queue', 'taskQueue', 'holds a namespace inside its name'),
  rule('request', '*', 'identity', 'identity', "the engine's own identity is reserved"),
  rule('request', '*', 'worker_identity', 'identity', 'as above'),
  rule('request', '*', 'manager_identity', 'identity', 'as above'),
  rule(
    'both',
    'common.v1.SearchAttributes',
    'indexed_fields',
    'searchAttribute',
    'some attributes belong to the engine, some are sealed',
  ),

  rule('request', '*', 'query', 'query', 'says what a page token belongs to'),
  rule('request', 'filter.v1.WorkflowTypeFilter', 'name', 'listFilter', 'as above'),
  rule(
    'request',
    'workflowservice.v1.ListWorkersRequest',
    'query',
    'listFilter',
    'asks for properties of Workers',
  ),
  rule(
    'request',
    '*',
    'visibility_query',
    'batchQuery',
    'what it finds is signalled, reset, deleted: not what belongs to the engine (T-101)',
  ),
  ...['GetWorkflowExecutionHistoryRequest', 'GetWorkflowExecutionHistoryReverseRequest'].map((message) =>
    rule(
      'request',
      `workflowservice.v1.${message}`,
      'execution',
      'executionMessage',
      'what a page token of a history belongs to',
    ),
  ),

  rule(
    'request',
    '*',
    'completion_callbacks',
    'callback',
    'temporal://system passes every allow-list of the engine (data-plane.md 2.3)',
  ),
  rule(
    'request',
    'common.v1.Callback.Nexus',
    'url',
    'callbackUrl',
    'only the address that the engine itself handed out',
  ),
  rule(
    'both',
    'common.v1.Callback.Nexus',
    'header',
    'callbackHeader',
    'holds the token of the operation that the callback completes, unsigned',
  ),
  rule('response', 'nexus.v1.StartOperationRequest', 'callback_header', 'callbackHeader', 'as above'),
  rule(
    'response',
    'common.v1.Callback',
    'internal',
    'masked',
    'a reference into the state of a component of the engine',
  ),
  rule(
    'request',
    'command.v1.ScheduleNexusOperationCommandAttributes',
    'nexus_header',
    'nexusHeader',
    'set last by the engine, so that a key could replace its own callback token',
  ),
  rule(
    'request',
    'command.v1.ScheduleNexusOperationCommandAttributes',
    'endpoint',
    'nexusEndpoint',
    'any namespace may call any endpoint, as far as the engine cares',
  ),
  rule(
    'request',
    'workflowservice.v1.CreateWorkerDeploymentVersionRequest',
    'compute_config',
    'forbidden',
    "makes the engine contact a provider of the caller's choice",
  ),
  ...['provider', 'scaler'].map((field) =>
    rule('request', 'compute.v1.ComputeConfigScalingGroup', field, 'forbidden', 'as above'),
  ),
  rule('request', 'compute.v1.ComputeProvider', 'nexus_endpoint', 'forbidden', 'as above'),

  rule(
    'response',
    'taskqueue.v1.TaskQueuePartitionMetadata',
    'owner_host_name',
    'masked',
    'host names of the platform',
  ),
  rule(
    'response',
    'workflowservice.v1.PollWorkflowTaskQueueResponse',
    'workflow_execution',
    'executionMessage',
    "a task of the engine's own is never handed over (T-101)",
  ),
  rule(
    'response',
    'workflowservice.v1.PollWorkflowTaskQueueResponse',
    'workflow_type',
    'workflowTypeMessage',
    'as above',
  ),
  rule(
    'response',
    'workflowservice.v1.PollWorkflowTaskQueueResponse',
    'workflow_execution_task_queue',
    'taskQueueMessage',
    'as above',
  ),
  rule(
    'response',
    'workflowservice.v1.PollActivityTaskQueueResponse',
    'workflow_execution',
    'executionMessage',
    'as above',
  ),
  rule(
    'response',
    'workflowservice.v1.PollActivityTaskQueueResponse',
    'workflow_type',
    'workflowTypeMessage',
    'as above',
  ),
  rule(
    'response',
    'history.v1.WorkflowTaskScheduledEventAttributes',
    'task_queue',
    'taskQueueMessage',
    'sticky queues of the engine are hidden in histories (T-101)',
  ),
  rule(
    'response',
    'workflow.v1.WorkflowExecutionInfo',
    'type',
    'shownWorkflowType',
    "payloads of the engine's own workflows have no seal, and a batch job has an id of its caller's",
  ),
  rule(
    'response',
    'history.v1.WorkflowExecutionStartedEventAttributes',
    'workflow_type',
    'shownWorkflowType',
    'as above',
  ),
  ...payloadRules,
];

/**
 * Names of text and byte fields that must have a rule or be listed as harmless: the completeness test walks
 * the schema with this pattern, so a new API version cannot slip a namespace, token or URL past us.
 */
export const riskyName: RegExp =
  /namespace|(^|_)token$|url|uri|callback|endpoint|task_queue|^(parent_)?workflow_id$|job_id|identity$|compute|^raw_|host_name/;

/** A field that looks risky and is not. `*` stands for every message. */
export type HarmlessField = Omit<FieldRule, 'role'>;

const harmlessField = (
  direction: FieldRule['direction'],
  message: string,
  field: string,
  why: string,
): HarmlessField => ({ direction, message, field, why });

const CLOSED = "only in methods that are not open to tenants; archival is off, or another cluster's";
const OWN = "the namespace's own data, shown to it";

/** Fields that look risky and are not, each with its reason. */
export const harmless: readonly HarmlessField[] = [
  harmlessField(
    'both',
    '*',
    'conflict_token',
    'an event counter, compared by the engine within the namespace',
  ),
  harmlessField('both', '*', 'operation_token', 'opaque text of a Nexus handler, a string of the tenant'),
  harmlessField('both', 'failure.v1.NexusOperationFailureInfo', 'endpoint', 'text of an old failure'),
  harmlessField('both', 'nexus.v1.Link', 'url', 'text for people, never fetched'),
  harmlessField('request', '*', 'security_token', CLOSED),
  harmlessField('both', '*', 'history_archival_uri', CLOSED),
  harmlessField('both', '*', 'visibility_archival_uri', CLOSED),
  harmlessField('response', 'common.v1.Callback.Nexus', 'url', "the namespace's own, or the engine's word"),
  harmlessField(
    'request',
    '*',
    'remove_compute_config_scaling_groups',
    'names of groups, in a method that is off',
  ),
  harmlessField(
    'request',
    'operatorservice.v1.*',
    '*',
    'nothing but ListSearchAttributes is open to tenants',
  ),
  harmlessField('both', 'nexus.v1.EndpointTarget.*', '*', 'only in methods of the operator service'),
  harmlessField('response', 'nexus.v1.Endpoint', 'url_prefix', 'as above'),
  harmlessField('both', 'google.protobuf.Any', 'type_url', 'the scanner knows the types inside, or refuses'),
  harmlessField(
    'response',
    'operatorservice.v1.*',
    '*',
    'nothing but ListSearchAttributes is open to tenants',
  ),
  ...[
    'identity',
    'worker_identity',
    'last_worker_identity',
    'update_identity',
    'manager_identity',
    'previous_manager_identity',
    'last_modifier_identity',
    'created_by_identity',
    'workflow_id',
    'task_queue',
    'new_task_queue',
    'job_id',
    'host_name',
  ].map((field) => harmlessField('response', '*', field, OWN)),
  harmlessField('request', 'worker.v1.WorkerHostInfo', 'host_name', "the tenant's own host"),
  ...['workflow.v1.PendingNexusOperationInfo', 'nexus.v1.Request'].map((message) =>
    harmlessField('response', message, 'endpoint', OWN),
  ),
  ...['endpoint', 'endpoint_id'].map((field) =>
    harmlessField('response', 'history.v1.NexusOperationScheduledEventAttributes', field, OWN),
  ),
  harmlessField('response', 'compute.v1.ComputeProvider', 'nexus_endpoint', OWN),
  harmlessField(
    'response',
    'nexus.v1.StartOperationRequest',
    'callback',
    "the engine's word for itself; of no use without a token",
  ),
];
