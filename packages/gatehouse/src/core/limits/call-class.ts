/** What a method costs the limits of its namespace. */
export interface CallClass {
  /** Every call counts as a call; these count besides. */
  readonly rate: 'calls' | 'visibility' | 'management';
  /** The part of the burst of calls that it must leave to calls that matter more. */
  readonly reserve: number;
  /** What it holds until it is answered. `wait-if-asked`: a wait only where the request says so. */
  readonly holds: 'nothing' | 'poll' | 'wait' | 'wait-if-asked';
  /** Of what holds something: which counter. Each method has its own, so that none takes the places of another. */
  readonly counter: number;
}

/**
 * When calls run short, polls and searches are refused first, starts, signals and updates last, everything else
 * between them: Temporal Cloud's order (temporal-cloud.md section 9).
 */
const RESERVE_LOW = 1 / 4;
const RESERVE_MIDDLE = 1 / 8;

const names = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Temporal Cloud's visibility reads; the engine's own class has all of them but DescribeTaskQueue. */
const visibility = names(`
  CountActivityExecutions CountSchedules CountWorkflowExecutions DescribeTaskQueue DescribeWorker
  GetDeploymentReachability GetWorkerTaskReachability ListActivityExecutions
  ListArchivedWorkflowExecutions ListBatchOperations ListClosedWorkflowExecutions ListDeployments
  ListOpenWorkflowExecutions ListSchedules ListWorkerDeployments ListWorkers ListWorkflowExecutions
  ScanWorkflowExecutions
`);

/** What the engine puts into its namespace replication queue, which carries failovers too (data-plane.md 1.4). */
const management = names(`
  DeleteWorkerDeploymentVersion RegisterNamespace SetWorkerDeploymentCurrentVersion
  SetWorkerDeploymentRampingVersion UpdateNamespace UpdateTaskQueueConfig
  UpdateWorkerBuildIdCompatibility UpdateWorkerVersioningRules
`);

const polls = names('PollActivityTaskQueue PollNexusTaskQueue PollWorkflowTaskQueue');

/** The engine's other long-running calls (data-plane.md 1.4). */
const waits = names(`
  DescribeActivityExecution ExecuteMultiOperation PollActivityExecution PollWorkflowExecutionUpdate
  QueryWorkflow UpdateWorkflowExecution
`);

const waitsIfAsked = 'GetWorkflowExecutionHistory';

const urgent = names(`
  CreateSchedule ExecuteMultiOperation SignalWithStartWorkflowExecution SignalWorkflowExecution
  StartActivityExecution StartBatchOperation StartWorkflowExecution UpdateWorkflowExecution
`);

/** As the engine does: a Worker's pollers for workflow tasks must not keep out those for activities. */
const longRunning: readonly string[] = [...polls, ...waits, waitsIfAsked];

/** How many counters there are. */
export const COUNTERS: number = longRunning.length;

const WORKFLOW_SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

function classOf(name: string): CallClass {
  const searches = visibility.includes(name);
  const isPoll = polls.includes(name);
  const isLow = searches || isPoll;
  return Object.freeze({
    rate: searches ? 'visibility' : management.includes(name) ? 'management' : 'calls',
    reserve: isLow ? RESERVE_LOW : urgent.includes(name) ? 0 : RESERVE_MIDDLE,
    holds: isPoll
      ? 'poll'
      : waits.includes(name)
        ? 'wait'
        : name === waitsIfAsked
          ? 'wait-if-asked'
          : 'nothing',
    counter: longRunning.indexOf(name),
  });
}

const table: ReadonlyMap<string, CallClass> = new Map(
  [...visibility, ...management, ...longRunning, ...urgent].map((name) => [
    WORKFLOW_SERVICE + name,
    classOf(name),
  ]),
);

const ordinary = classOf('');

/** The class of a method by its HTTP/2 path; a method in no list is a call like any other. */
export function callClassOf(path: string): CallClass {
  return table.get(path) ?? ordinary;
}
