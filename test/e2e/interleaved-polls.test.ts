import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { commands, openTenant, type RawTenant, type Reply } from './raw-tenant.ts';

// threats.md T-048b: everything that could be told apart by name alone is the same in both namespaces.

/** The catalogue asks for a million; as many as a run of the suite has time for. */
const DELIVERIES = Number(process.env['GATEHOUSE_DELIVERIES'] ?? 1500);
const TENANTS = ['default.local', 'beta.local'];
const QUEUE = 'shared';
/** Polls that wait at the same time, in each namespace. */
const POLLERS = 8;
/** Every so many workflows one is queried. */
const QUERY_EVERY = 10;

let site: AttackSite;
before(async () => {
  site = await startAttackSite(['beta']);
});
after(() => site.close());

const payload = (text: string) => ({ payloads: [{ data: Buffer.from(text) }] });
const textOf = (input: Reply): string => Buffer.from(input.payloads[0].data).toString();

/** Plays one namespace: starts its workflows, and takes tasks until each one is done. */
class Player {
  readonly #tenant: RawTenant;
  readonly #workflows: number;
  deliveries = 0;
  queries = 0;
  #closed = 0;
  #started = 0;

  constructor(tenant: RawTenant, workflows: number) {
    this.#tenant = tenant;
    this.#workflows = workflows;
  }

  async play(): Promise<void> {
    const loops = (work: () => Promise<void>) => Array.from({ length: POLLERS }, work);
    await Promise.all([
      ...loops(() => this.#start()),
      ...loops(() => this.#workflowTasks()),
      ...loops(() => this.#activityTasks()),
    ]);
  }

  get #isDone(): boolean {
    return this.#closed >= this.#workflows;
  }

  async #start(): Promise<void> {
    while (this.#started < this.#workflows) {
      const index = this.#started++;
      const workflowId = `same-${index}`;
      await this.#tenant.start(workflowId, { taskQueue: { name: QUEUE }, input: payload(this.#tenant.id) });
      if (index % QUERY_EVERY === 0) await this.#query(workflowId);
    }
  }

  async #query(workflowId: string): Promise<void> {
    const query = { queryType: 'owner', queryArgs: payload(this.#tenant.id) };
    const answer = await this.#tenant.ask(
      'QueryWorkflow',
      { execution: { workflowId }, query },
      { timeoutMs: 30_000 },
    );
    assert.equal(textOf(answer.queryResult), this.#tenant.id, 'the answer to a query');
    this.queries += 1;
  }

  async #poll(method: string): Promise<Reply | undefined> {
    const request = { taskQueue: { name: QUEUE }, identity: 'same-worker' };
    const task = await this.#tenant.ask(method, request, { timeoutMs: 2500 });
    return task.taskToken.length === 0 ? undefined : task;
  }

  async #workflowTasks(): Promise<void> {
    while (!this.#isDone) {
      const task = await this.#poll('PollWorkflowTaskQueue');
      if (task === undefined) continue;
      this.deliveries += 1;
      const [started] = task.history.events;
      assert.equal(textOf(started.attributes.value.input), this.#tenant.id, 'the input of a workflow task');
      if (task.query !== undefined) await this.#answerQuery(task);
      else await this.#answer(task);
    }
  }

  async #answerQuery(task: Reply): Promise<void> {
    assert.equal(textOf(task.query.queryArgs), this.#tenant.id, 'the arguments of a query');
    const result = { completedType: 1, queryResult: payload(this.#tenant.id) };
    const answer = await this.#tenant.call('RespondQueryTaskCompleted', {
      taskToken: task.taskToken,
      ...result,
    });
    assert.equal(answer.status, 0, answer.message);
  }

  async #answer(task: Reply): Promise<void> {
    const activityDone = task.history.events.some(
      (event: Reply) => event.attributes.case === 'activityTaskCompletedEventAttributes',
    );
    const next = activityDone
      ? commands.completeWorkflow()
      : commands.scheduleActivity({
          activityId: 'same',
          activityType: { name: 'same' },
          taskQueue: { name: QUEUE },
          scheduleToCloseTimeout: { seconds: 60n },
          input: payload(this.#tenant.id),
        });
    const queryResults: Record<string, unknown> = {};
    for (const [id, query] of Object.entries<Reply>(task.queries)) {
      assert.equal(textOf(query.queryArgs), this.#tenant.id, 'the arguments of a query beside a task');
      queryResults[id] = { resultType: 1, answer: payload(this.#tenant.id) };
    }
    const request = { taskToken: task.taskToken, commands: [next], identity: 'same-worker', queryResults };
    const answer = await this.#tenant.call('RespondWorkflowTaskCompleted', request);
    assert.equal(answer.status, 0, answer.message);
    if (activityDone) this.#closed += 1;
  }

  async #activityTasks(): Promise<void> {
    while (!this.#isDone) {
      const task = await this.#poll('PollActivityTaskQueue');
      if (task === undefined) continue;
      this.deliveries += 1;
      assert.equal(task.workflowNamespace, this.#tenant.id);
      assert.equal(textOf(task.input), this.#tenant.id, 'the input of an activity task');
      const request = {
        taskToken: task.taskToken,
        result: payload(this.#tenant.id),
        identity: 'same-worker',
      };
      const answer = await this.#tenant.call('RespondActivityTaskCompleted', request);
      assert.equal(answer.status, 0, answer.message);
    }
  }
}

test('T-048b no task and no query crosses between namespaces with the same ids, queue and identity under load', async () => {
  // A workflow is three deliveries: two workflow tasks and one activity task.
  const workflows = Math.ceil(DELIVERIES / (3 * TENANTS.length));
  const players = TENANTS.map((id) => new Player(openTenant(site, id), workflows));
  await Promise.all(players.map((player) => player.play()));
  for (const player of players) {
    assert.ok(player.deliveries >= workflows * 3, `${player.deliveries} deliveries`);
    assert.ok(player.queries >= Math.floor(workflows / QUERY_EVERY));
  }
  const refused = (await site.house.events()).filter((event) => event['outcome'] === 'refused');
  assert.deepEqual(refused, [], 'nothing had to be withheld');
});
