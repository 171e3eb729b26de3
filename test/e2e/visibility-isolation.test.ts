import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import { addSearchAttributes, KEYWORD } from './search-attributes.ts';

// threats.md T-047: whatever a query says, it is answered within its own namespace or refused. The engine adds the
// namespace itself; two canaries in another one show whether that holds.

// The watch on the engine makes calls of its own in `default.local`.
const HOSTILE = 'beta.local';
const VICTIM = 'default.local';
const CANARY = 'canary-of-the-neighbour';
const ATTRIBUTE = 'CanaryOwner';

let site: AttackSite;
let hostile: RawTenant;
let victim: RawTenant;

before(async () => {
  site = await startAttackSite(['beta']);
  hostile = openTenant(site, HOSTILE);
  victim = openTenant(site, VICTIM);
  await addSearchAttributes(site.house, VICTIM, { [ATTRIBUTE]: KEYWORD });
  const searchAttributes = {
    indexedFields: {
      [ATTRIBUTE]: { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${CANARY}"`) },
    },
  };
  // The engine learns of a new attribute within seconds.
  await until('a start with the attribute', async () => {
    const start = {
      workflowId: CANARY,
      workflowType: { name: CANARY },
      taskQueue: { name: CANARY },
      requestId: CANARY,
    };
    return (await victim.call('StartWorkflowExecution', { ...start, searchAttributes })).status === 0;
  });
  await victim.ask('CreateSchedule', {
    scheduleId: CANARY,
    requestId: CANARY,
    schedule: {
      action: {
        action: {
          case: 'startWorkflow',
          value: { workflowId: 'x', workflowType: { name: 'x' }, taskQueue: { name: 'x' } },
        },
      },
    },
  });
  await hostile.start('mine');
  await until('the canaries are listed at home', async () => {
    const count = async (tenant: RawTenant, query: string) =>
      Number((await tenant.ask('CountWorkflowExecutions', { query })).count);
    return (
      (await count(victim, `${ATTRIBUTE} = '${CANARY}'`)) === 1 &&
      (await count(victim, `TemporalNamespaceDivision IS NOT NULL`)) >= 1 &&
      (await count(hostile, '')) === 1
    );
  });
});
after(() => site.close());

const hostileQueries: readonly string[] = [
  `WorkflowId = '${CANARY}'`,
  `WorkflowType = "${CANARY}"`,
  `WorkflowId = 'x' OR 1 = 1`,
  `WorkflowId = 'x' OR WorkflowId != 'x'`,
  `WorkflowId = 'x' OR NOT (WorkflowId = 'x')`,
  `WorkflowId = 'x') OR (WorkflowId != 'x'`,
  `WorkflowId = 'x' -- `,
  `WorkflowId = 'x' /* a comment */ OR WorkflowId != ''`,
  `WorkflowId = 'x'' OR ''a'' = ''a'`,
  `WorkflowId = 'x\\' OR 1=1 -- '`,
  `WorkflowId STARTS_WITH 'canary'`,
  `WorkflowId STARTS_WITH '%'`,
  `WorkflowId = 'x' UNION SELECT * FROM executions_visibility`,
  `WorkflowId IN (SELECT workflow_id FROM executions_visibility)`,
  `namespace_id != 'x'`,
  `NamespaceId IS NOT NULL`,
  `TemporalNamespaceDivision IS NOT NULL`,
  `TemporalNamespaceDivision = 'TemporalScheduler' OR TemporalNamespaceDivision IS NULL`,
  `ScheduleId = '${CANARY}'`,
  `BatcherNamespace = '${VICTIM}'`,
  `${ATTRIBUTE} = '${CANARY}'`,
  `Keyword01 = '${CANARY}'`,
  `Keyword01 IS NOT NULL`,
  `\`${ATTRIBUTE}\` IS NOT NULL`,
  `StartTime > '1970-01-01T00:00:00Z'`,
  `ExecutionStatus = 'Running' ORDER BY StartTime`,
  `WorkflowId = 'x'; DROP TABLE executions_visibility`,
  `WorkflowId = '\u0000'`,
];

/** Queries on which this engine stumbles: it says so in a way that names nothing. */
const stumbles = ['UNION', 'BatcherNamespace', '\u0000'];

const lists = ['ListWorkflowExecutions', 'ScanWorkflowExecutions', 'ListSchedules'] as const;
const counts = ['CountWorkflowExecutions', 'CountSchedules'] as const;

test('T-047 no query finds a canary of another namespace, in lists or in counts: it is answered at home, or I', async () => {
  const answered = new Set<number>();
  for (const query of hostileQueries) {
    for (const method of [...lists, ...counts]) {
      const answer = await hostile.call(method, { namespace: HOSTILE, query });
      answered.add(answer.status);
      const expected = stumbles.some((part) => query.includes(part)) ? [0, 3, 13, 14] : [0, 3];
      assert.ok(expected.includes(answer.status), `${method} ${query}: ${answer.status} ${answer.message}`);
      assert.ok(!Buffer.from(answer.body).includes(CANARY), `${method} ${query}`);
      assert.doesNotMatch(answer.message, /SQL logic error|no such column/);
    }
    for (const method of counts) {
      const answer = await hostile.call(method, { namespace: HOSTILE, query });
      if (answer.status !== 0) continue;
      const { count } = (await hostile.ask(method, { query })) as Reply;
      assert.ok(Number(count) <= 1, `${method} ${query} counts ${count}, and one workflow is its own`);
    }
  }
  assert.ok(answered.has(0) && answered.has(3), 'some are answered, some refused');
});

test('T-047 fixed filters are about the own namespace too', async () => {
  for (const [method, fields] of [
    ['ListOpenWorkflowExecutions', { filters: { case: 'executionFilter', value: { workflowId: CANARY } } }],
    ['ListOpenWorkflowExecutions', { filters: { case: 'typeFilter', value: { name: CANARY } } }],
    ['ListClosedWorkflowExecutions', { filters: { case: 'typeFilter', value: { name: CANARY } } }],
    ['ListBatchOperations', {}],
    ['ListWorkers', {}],
  ] as const) {
    const window = method.includes('Workflow')
      ? { startTimeFilter: { earliestTime: { seconds: 0n }, latestTime: { seconds: 9_000_000_000n } } }
      : {};
    const answer = await hostile.call(method, { namespace: HOSTILE, ...window, ...fields });
    assert.ok(!Buffer.from(answer.body).includes(CANARY), method);
    assert.ok([0, 3].includes(answer.status), `${method}: ${answer.message}`);
  }
});

test('T-047 a megabyte of ORs is refused before the engine parses it', async () => {
  await site.engine.settle();
  await site.engine.sawNothing(async () => {
    const query = Array.from({ length: 40_000 }, (_, index) => `WorkflowId = 'x${index}'`).join(' OR ');
    assert.ok(query.length > 1_000_000 * 0.9);
    for (const method of [...lists, ...counts]) {
      const answer = await hostile.call(method, { namespace: HOSTILE, query });
      assert.equal(answer.status, 3, answer.message);
    }
  });
});

test('T-047 the canaries are still where they belong', async () => {
  const { executions } = await victim.ask('ListWorkflowExecutions', { query: `${ATTRIBUTE} = '${CANARY}'` });
  assert.equal(executions.length, 1);
});
