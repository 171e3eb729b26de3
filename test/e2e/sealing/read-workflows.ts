import type { DescMessage, JsonObject, Message } from '@bufbuild/protobuf';
import { toJson } from '@bufbuild/protobuf';
import { engineApiRegistry, messageType } from '../../../packages/gatehouse/src/base/proto/api-registry.ts';
import type { Reader, Reply } from './engine-reader.ts';
import { readPages } from './read-pages.ts';
import { payloadOf, walk } from './walk-json.ts';

/** Everything that can be read about one run, as protobuf's JSON. */
export interface RecordedRun {
  readonly workflowId: string;
  readonly events: readonly JsonObject[];
  readonly description: JsonObject;
  /** As the list shows it. */
  readonly listed: JsonObject;
}

/** Every run whose workflow id begins so, in the order of workflow ids and then of starts. */
export async function readWorkflows(reader: Reader, prefix: string): Promise<readonly RecordedRun[]> {
  const runs = (await listAll(reader)).filter((it) => it.execution.workflowId.startsWith(prefix));
  runs.sort((a, b) => orderOf(a).localeCompare(orderOf(b)));
  return await Promise.all(
    runs.map(async (listed) => {
      const { execution } = listed;
      const description = await reader.ask('DescribeWorkflowExecution', { execution });
      return {
        workflowId: execution.workflowId,
        events: await readHistory(reader, execution),
        description: messageJson('workflowservice.v1.DescribeWorkflowExecutionResponse', description),
        listed: messageJson('workflow.v1.WorkflowExecutionInfo', listed),
      };
    }),
  );
}

/** How often each encoding of a payload occurs. */
export function encodingsOf(values: readonly JsonObject[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  walk([...values], (value) => {
    const payload = payloadOf(value);
    if (payload === undefined) return true;
    counts.set(payload.encoding, (counts.get(payload.encoding) ?? 0) + 1);
    return false;
  });
  return counts;
}

/** In pages that are small enough for there to be several. */
async function readHistory(reader: Reader, execution: Reply): Promise<readonly JsonObject[]> {
  const pages = await readPages(reader.ask, 'GetWorkflowExecutionHistory', { execution, maximumPageSize: 7 });
  return pages.flatMap(({ history }) =>
    history.events.map((event: Reply) => messageJson('history.v1.HistoryEvent', event)),
  );
}

async function listAll(reader: Reader): Promise<Reply[]> {
  const pages = await readPages(reader.ask, 'ListWorkflowExecutions', { pageSize: 100 });
  return pages.flatMap(({ executions }) => executions);
}

function orderOf({ execution, startTime }: Reply): string {
  const { seconds = 0n, nanos = 0 } = startTime ?? {};
  return `${execution.workflowId} ${seconds}.${String(nanos).padStart(9, '0')}`;
}

/** As protobuf's JSON. */
export function messageJson(name: string, message: Message): JsonObject {
  const type: DescMessage = messageType(`temporal.api.${name}`);
  const json = toJson(type, message, { registry: engineApiRegistry() });
  return json as JsonObject;
}
