import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { createCanaries, findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { type CanaryTenant, jsonPayload, openCanaryTenant } from './canary-tenant.ts';
import { type Reply, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';
import { openStoredRows } from './stored-rows.ts';

// A batch job is a workflow of the engine's own, which writes its payloads without a seal, under an id that its caller
// chose. Where all payloads must be sealed it is readable all the same: whole, in pages, from the end. T-079b: and no
// workflow of a tenant becomes readable by the same rule.

const ID = 'default.local';
const JOB = 'signal-all';
const DATA_LOSS = 15;
const CLOSE_EVENT = 2;
const FORWARD = 'GetWorkflowExecutionHistory';
const REVERSE = 'GetWorkflowExecutionHistoryReverse';

let site: AttackSite;
let tenant: CanaryTenant;
const canaries = createCanaries();

before(async () => {
  site = await startAttackSite([], { encryption: { sealing: 'on' } });
  tenant = openCanaryTenant(site, ID, canaries);
  await tenant.start('mine', { input: tenant.input('start, input') });
  const visibilityQuery = `WorkflowId = 'mine'`;
  await until('the workflow is listed', async () => {
    const { executions } = await tenant.ask('ListWorkflowExecutions', { query: visibilityQuery });
    return executions.length === 1;
  });
  await tenant.ask('StartBatchOperation', {
    jobId: JOB,
    reason: 'readable',
    visibilityQuery,
    operation: {
      case: 'signalOperation',
      value: { signal: 'wake', identity: 'raw', input: tenant.input('batch signal, input') },
    },
  });
  await until('the batch is done', async () => {
    const job = await tenant.ask('DescribeBatchOperation', { jobId: JOB });
    return job.state === 2 && Number(job.completeOperationCount) === 1;
  });
});
after(() => site.close());

/** All events of a run, page by page. */
async function readPages(
  method: string,
  execution: Reply,
  maximumPageSize: number,
  first?: Uint8Array,
): Promise<{ readonly events: readonly Reply[]; readonly pages: number }> {
  const events: Reply[] = [];
  let nextPageToken = first ?? new Uint8Array();
  let pages = 0;
  do {
    const page = await tenant.ask(method, { execution, maximumPageSize, nextPageToken });
    events.push(...page.history.events);
    nextPageToken = page.nextPageToken;
    pages += 1;
  } while (nextPageToken.length > 0);
  return { events, pages };
}

function sameEvents(some: readonly Reply[], others: readonly Reply[]): void {
  assert.deepEqual(
    some.map(({ eventId }) => eventId),
    others.map(({ eventId }) => eventId),
  );
  // As messages: entries of a map come in any order.
  assert.ok(isDeepStrictEqual(some, others), 'the same events');
}

async function runOf(workflowId: string): Promise<Reply> {
  const { workflowExecutionInfo } = await tenant.ask('DescribeWorkflowExecution', {
    execution: { workflowId },
  });
  return { workflowId, runId: workflowExecutionInfo.execution.runId };
}

for (const [how, executionOf] of [
  ['by its id', async () => ({ workflowId: JOB })],
  ['by its id and run', () => runOf(JOB)],
] as const) {
  test(`the history of a batch job, asked for ${how}, reads the same whole, in pages and from the end`, async () => {
    const execution = await executionOf();
    const { events: all } = await readPages(FORWARD, execution, 1000);
    assert.ok(all.length > 8, `${all.length} events`);
    for (const size of [1, 2]) {
      const forward = await readPages(FORWARD, execution, size);
      assert.ok(forward.pages > 3, `${forward.pages} pages`);
      sameEvents(forward.events, all);
      const reverse = await readPages(REVERSE, execution, size);
      assert.ok(reverse.pages > 2, `${reverse.pages} pages`);
      sameEvents(reverse.events.toReversed(), all);
    }
    sameEvents((await readPages(REVERSE, execution, 1000)).events.toReversed(), all);
    const closing = { execution, historyEventFilterType: CLOSE_EVENT };
    sameEvents((await tenant.ask(FORWARD, closing)).history.events, all.slice(-1));
    sameEvents((await tenant.ask(FORWARD, { ...closing, waitNewEvent: true })).history.events, all.slice(-1));
  });
}

test("no name of the engine's own queues is on any page of it", async () => {
  for (const method of [FORWARD, REVERSE]) {
    const { events } = await readPages(method, { workflowId: JOB }, 1);
    const queues = events
      .filter(({ attributes }: Reply) => attributes.case === 'workflowTaskScheduledEventAttributes')
      .map(({ attributes }: Reply) => attributes.value.taskQueue.name);
    assert.ok(queues.length > 1);
    assert.deepEqual([...new Set(queues)], ['temporal-sys-hidden'], method);
  }
});

test('none of this was refused', async () => {
  assert.deepEqual(await refusedCalls(site.house), []);
});

test('T-044 a page token of a batch job is good for its own history alone, and not in the other direction', async () => {
  const first = async (method: string, workflowId: string): Promise<Uint8Array> =>
    (await tenant.ask(method, { execution: { workflowId }, maximumPageSize: 1 })).nextPageToken;
  await tenant.finish(await tenant.takeTask(), []);
  for (const method of [FORWARD, REVERSE]) {
    const ofJob = await first(method, JOB);
    const ofMine = await first(method, 'mine');
    const other = method === FORWARD ? REVERSE : FORWARD;
    for (const [asked, workflowId, nextPageToken] of [
      [method, 'mine', ofJob],
      [method, JOB, ofMine],
      [other, JOB, ofJob],
    ] as const) {
      const answer = await tenant.call(asked, { execution: { workflowId }, nextPageToken });
      assert.equal(answer.status, 3, `${asked} ${workflowId}: ${answer.message}`);
    }
    // That the token is of the engine's own is a part of what is bound.
    for (const [token, workflowId] of [
      [ofJob, JOB],
      [ofMine, 'mine'],
    ] as const) {
      for (const version of [0, 1, 2, 3].filter((each) => each !== token[1])) {
        const nextPageToken = Uint8Array.from(token);
        nextPageToken[1] = version;
        const answer = await tenant.call(method, { execution: { workflowId }, nextPageToken });
        assert.equal(answer.status, 3, `${method} ${workflowId} ${version}`);
      }
    }
  }
});

test("T-079b plaintext in the history of a tenant's workflow stays DATA_LOSS on every page, in every order", async () => {
  await tenant.start('tampered', { taskQueue: { name: 'tampered' }, input: tenant.input('tampered, input') });
  const rows = openStoredRows(site.house);
  const planted = canaries.make('planted');
  try {
    rows.editStart('tampered', (started) => {
      const [input] = started.input.payloads;
      Object.assign(input, jsonPayload(planted));
    });
  } finally {
    rows.close();
  }
  for (const execution of [{ workflowId: 'tampered' }, await runOf('tampered')]) {
    for (const method of [FORWARD, REVERSE]) {
      for (const maximumPageSize of [2, 1000]) {
        const answer = await tenant.call(method, { execution, maximumPageSize });
        assert.equal(answer.status, DATA_LOSS, `${method} ${maximumPageSize} ${answer.message}`);
        assert.deepEqual(findCanaries(Buffer.from(answer.body)), []);
      }
    }
  }
});
