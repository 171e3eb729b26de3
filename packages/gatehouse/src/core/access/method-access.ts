/**
 * What a method needs and who serves it.
 * - `read` / `write`: relayed, to a caller with that permission on the namespace.
 * - `gateway`: answered by the gateway itself, to any admitted caller.
 * - `never`: not open to tenants at all; the control plane does it.
 * - `nexus`: as `write`, where the platform has Nexus on.
 * - `off`: belongs to an engine feature that this platform keeps off.
 */
export type MethodAccess = 'read' | 'write' | 'gateway' | 'never' | 'nexus' | 'off';

const names = (text: string): readonly string[] => text.trim().split(/\s+/);

/**
 * The classes of Temporal Cloud's permission reference (temporal-cloud.md section 4), for every method of
 * WorkflowService. A method that is in no list is refused; a test fails when the API has one that is not here.
 */
const workflowService: Readonly<Record<MethodAccess, readonly string[]>> = {
  read: names(`
    CountSchedules CountWorkflowExecutions
    DescribeBatchOperation DescribeNamespace DescribeSchedule DescribeTaskQueue DescribeWorker
    DescribeWorkerDeployment DescribeWorkerDeploymentVersion DescribeWorkflowExecution
    GetSearchAttributes GetSystemInfo GetWorkerBuildIdCompatibility GetWorkerTaskReachability
    GetWorkerVersioningRules GetWorkflowExecutionHistory GetWorkflowExecutionHistoryReverse
    ListArchivedWorkflowExecutions ListBatchOperations ListClosedWorkflowExecutions
    ListOpenWorkflowExecutions ListScheduleMatchingTimes ListSchedules ListTaskQueuePartitions
    ListWorkerDeployments ListWorkers ListWorkflowExecutions ScanWorkflowExecutions
    DescribeDeployment GetCurrentDeployment GetDeploymentReachability ListDeployments
    QueryWorkflow
  `),
  write: names(`
    CreateSchedule DeleteSchedule PatchSchedule UpdateSchedule
    CreateWorkerDeployment CreateWorkerDeploymentVersion DeleteWorkerDeployment
    DeleteWorkerDeploymentVersion SetWorkerDeploymentCurrentVersion SetWorkerDeploymentManager
    SetWorkerDeploymentRampingVersion UpdateWorkerDeploymentVersionMetadata SetCurrentDeployment
    UpdateWorkerBuildIdCompatibility UpdateWorkerVersioningRules
    DeleteWorkflowExecution ExecuteMultiOperation RequestCancelWorkflowExecution
    ResetWorkflowExecution SignalWithStartWorkflowExecution SignalWorkflowExecution
    StartWorkflowExecution TerminateWorkflowExecution UpdateWorkflowExecution
    UpdateWorkflowExecutionOptions PollWorkflowExecutionUpdate
    PauseActivity ResetActivity UnpauseActivity UpdateActivityOptions
    PollActivityTaskQueue PollWorkflowTaskQueue RecordActivityTaskHeartbeat
    RecordActivityTaskHeartbeatById RecordWorkerHeartbeat ResetStickyTaskQueue
    RespondActivityTaskCanceled RespondActivityTaskCanceledById RespondActivityTaskCompleted
    RespondActivityTaskCompletedById RespondActivityTaskFailed RespondActivityTaskFailedById
    RespondQueryTaskCompleted RespondWorkflowTaskCompleted RespondWorkflowTaskFailed ShutdownWorker
    StartBatchOperation StopBatchOperation UpdateTaskQueueConfig
  `),
  gateway: names('GetClusterInfo'),
  never: names('RegisterNamespace UpdateNamespace DeprecateNamespace ListNamespaces'),
  nexus: names('PollNexusTaskQueue RespondNexusTaskCompleted RespondNexusTaskFailed'),
  off: names(`
    CreateWorkflowRule DeleteWorkflowRule DescribeWorkflowRule ListWorkflowRules TriggerWorkflowRule
    FetchWorkerConfig UpdateWorkerConfig PauseWorkflowExecution UnpauseWorkflowExecution
    UpdateWorkerDeploymentVersionComputeConfig ValidateWorkerDeploymentVersionComputeConfig
    CountActivityExecutions DeleteActivityExecution DescribeActivityExecution ListActivityExecutions
    PollActivityExecution RequestCancelActivityExecution StartActivityExecution
    TerminateActivityExecution
  `),
};

/** OperatorService: Web UI and the Java SDK list search attributes in normal work; the rest is the control plane's. */
const operatorService: Readonly<Record<string, MethodAccess>> = { ListSearchAttributes: 'read' };

const WORKFLOW_SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';
const OPERATOR_SERVICE = '/temporal.api.operatorservice.v1.OperatorService/';

function buildTable(): ReadonlyMap<string, MethodAccess> {
  const table = new Map<string, MethodAccess>();
  for (const [access, methods] of Object.entries(workflowService) as [MethodAccess, readonly string[]][]) {
    for (const method of methods) table.set(WORKFLOW_SERVICE + method, access);
  }
  for (const [method, access] of Object.entries(operatorService))
    table.set(OPERATOR_SERVICE + method, access);
  return table;
}

const table = buildTable();

/** The gateway's own service for admitted callers: it shows what the caller can call, and changes nothing. */
const reflectionPaths: ReadonlySet<string> = new Set([
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
]);

/** Services of the engine that exist and are never open: denied, not unknown (T-036). */
const deniedServices = [
  OPERATOR_SERVICE,
  '/temporal.server.api.adminservice.v1.AdminService/',
  '/temporal.server.api.historyservice.v1.HistoryService/',
  '/temporal.server.api.matchingservice.v1.MatchingService/',
];

/** The access class of a method by its HTTP/2 path; `undefined` where the path is in no table. */
export function accessOf(path: string): MethodAccess | undefined {
  const access = table.get(path);
  if (access !== undefined) return access;
  if (reflectionPaths.has(path)) return 'gateway';
  return deniedServices.some((service) => path.startsWith(service)) ? 'never' : undefined;
}

/** All paths of the table: for completeness tests and for reflection. */
export function methodPaths(): readonly string[] {
  return [...table.keys()];
}
