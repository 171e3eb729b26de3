import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toBinary } from '@bufbuild/protobuf';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { messageType } from '../../packages/gatehouse/src/base/proto/api-registry.ts';
import {
  type AttackSite,
  assertRefused,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { prepareWorker, type WorkerLanguage, workerLanguages } from '../parts/sdk-workers.ts';
import { startWorkerProcess } from '../parts/worker-process.ts';
import { houseTarget } from './house-target.ts';
import { openTenant, type RawTenant } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';

type Fields = Record<string, unknown>;

const REQUIRES = 'locked.local';
const REPORTS = 'watched.local';
const CANARY = 'a canary that no store may ever hold';

const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${CANARY}"`) };
const encrypted = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: randomBytes(60) };
const hidden = { message: 'Encoded failure', encodedAttributes: encrypted };

const started = { workflowType: { name: 'orders' }, taskQueue: { name: 'orders' } };
const command = (name: string, value: Fields): Fields => ({
  attributes: { case: `${name}CommandAttributes`, value },
});
const update = (name: string, fields: Fields): Fields => ({
  messages: [
    {
      body: {
        typeUrl: `type.googleapis.com/temporal.api.update.v1.${name}`,
        value: encode(`update.v1.${name}`, fields),
      },
    },
  ],
});

/** A request with plaintext at one place, by method, and the path of that place. */
const attacks: readonly (readonly [string, Fields, string])[] = [
  ['StartWorkflowExecution', { ...started, input: { payloads: [encrypted, plain] } }, 'input.payloads[1]'],
  ['StartWorkflowExecution', { ...started, memo: { fields: { note: plain } } }, 'memo.fields["note"]'],
  [
    'StartWorkflowExecution',
    { ...started, searchAttributes: { indexedFields: { CustomerId: plain } } },
    'search_attributes.indexed_fields["CustomerId"]',
  ],
  ['StartWorkflowExecution', { ...started, header: { fields: { trace: plain } } }, 'header.fields["trace"]'],
  ['StartWorkflowExecution', { ...started, userMetadata: { summary: plain } }, 'user_metadata.summary'],
  [
    'ExecuteMultiOperation',
    {
      operations: [
        { operation: { case: 'startWorkflow', value: { ...started, input: { payloads: [plain] } } } },
      ],
    },
    'operations[0].start_workflow.input.payloads[0]',
  ],
  [
    'SignalWorkflowExecution',
    { workflowExecution: { workflowId: 'w' }, signalName: 's', input: { payloads: [plain] } },
    'input.payloads[0]',
  ],
  [
    'QueryWorkflow',
    { execution: { workflowId: 'w' }, query: { queryType: 'q', queryArgs: { payloads: [plain] } } },
    'query.query_args.payloads[0]',
  ],
  [
    'UpdateWorkflowExecution',
    {
      workflowExecution: { workflowId: 'w' },
      request: { input: { name: 'u', args: { payloads: [plain] } } },
    },
    'request.input.args.payloads[0]',
  ],
  [
    'TerminateWorkflowExecution',
    { workflowExecution: { workflowId: 'w' }, details: { payloads: [plain] } },
    'details.payloads[0]',
  ],
  [
    'CreateSchedule',
    {
      scheduleId: 's',
      schedule: {
        action: { action: { case: 'startWorkflow', value: { ...started, input: { payloads: [plain] } } } },
      },
    },
    'schedule.action.start_workflow.input.payloads[0]',
  ],
  [
    'StartBatchOperation',
    {
      jobId: 'j',
      reason: 'r',
      visibilityQuery: "WorkflowType = 'orders'",
      operation: { case: 'signalOperation', value: { signal: 's', input: { payloads: [plain] } } },
    },
    'signal_operation.input.payloads[0]',
  ],
  [
    'RespondWorkflowTaskCompleted',
    { commands: [{}, command('completeWorkflowExecution', { result: { payloads: [plain] } })] },
    'commands[1].complete_workflow_execution_command_attributes.result.payloads[0]',
  ],
  [
    'RespondWorkflowTaskCompleted',
    {
      commands: [command('failWorkflowExecution', { failure: { ...hidden, cause: { message: CANARY } } })],
    },
    'commands[0].fail_workflow_execution_command_attributes.failure.cause.message',
  ],
  [
    'RespondWorkflowTaskCompleted',
    { commands: [command('recordMarker', { markerName: 'm', details: { data: { payloads: [plain] } } })] },
    'commands[0].record_marker_command_attributes.details["data"].payloads[0]',
  ],
  [
    'RespondWorkflowTaskCompleted',
    update('Rejection', { failure: { message: CANARY } }),
    'messages[0].body[update.v1.Rejection].failure.message',
  ],
  [
    'RespondWorkflowTaskCompleted',
    update('Response', { outcome: { value: { case: 'success', value: { payloads: [plain] } } } }),
    'messages[0].body[update.v1.Response].outcome.success.payloads[0]',
  ],
  ['RespondWorkflowTaskFailed', { failure: { ...hidden, stackTrace: CANARY } }, 'failure.stack_trace'],
  ['RespondQueryTaskCompleted', { errorMessage: CANARY }, 'error_message'],
  ['RespondActivityTaskCompleted', { result: { payloads: [plain] } }, 'result.payloads[0]'],
  ['RespondActivityTaskFailed', { failure: { message: CANARY } }, 'failure.message'],
  [
    'RespondActivityTaskFailed',
    { failure: { ...hidden, encodedAttributes: plain } },
    'failure.encoded_attributes',
  ],
  ['RespondActivityTaskCanceled', { details: { payloads: [plain] } }, 'details.payloads[0]'],
  ['RecordActivityTaskHeartbeat', { details: { payloads: [plain] } }, 'details.payloads[0]'],
];

describe('a namespace that requires client-side encryption', { concurrency: false }, () => {
  let site: AttackSite;
  let locked: RawTenant;
  let watched: RawTenant;

  before(async () => {
    site = await startAttackSite(['locked', 'watched']);
    const { write } = site.house.up.platform.directory;
    await write.setEncryption(REQUIRES, {
      clientEncryption: 'require',
      // The Workers of three languages bring a codec of another name.
      plaintextAllowed: ['encoding:binary/zlib'],
    });
    await write.setEncryption(REPORTS, { clientEncryption: 'report' });
    locked = openTenant(site, REQUIRES);
    watched = openTenant(site, REPORTS);
    await site.engine.settle();
  });

  after(async () => await site?.close());

  test('T-071 plaintext is refused by the path of its field, and the engine sees nothing of any such call', async (t) => {
    await site.engine.sawNothing(async () => {
      for (const [method, fields, path] of attacks) {
        await t.test(`T-071 ${method} with plaintext at ${path}`, async () => {
          const answer = await locked.call(method, { namespace: REQUIRES, ...fields });
          await assertRefused(site, answer, {
            code: 'plaintext_refused',
            publicDetail: path,
            record: { namespace: REQUIRES, detail: /in plaintextAllowed would let it pass$/ },
          });
        });
      }
    });
    assert.ok(!JSON.stringify(await site.house.events()).includes(CANARY));
  });

  test('T-071 a Workflow whose every word is encrypted runs, and its history has the ciphertext that was sent', async () => {
    await locked.start('sealed', {
      input: { payloads: [encrypted] },
      memo: { fields: { note: encrypted } },
      header: { fields: { trace: encrypted } },
      userMetadata: { summary: encrypted },
    });
    const task = await locked.takeTask();
    const fail = command('failWorkflowExecution', { failure: { ...hidden, cause: hidden } });
    const completed = await locked.complete(task, [{ commandType: 5, ...fail }]);
    assert.equal(completed.status, 0, completed.message);
    const { history } = await locked.ask('GetWorkflowExecutionHistory', {
      namespace: REQUIRES,
      execution: { workflowId: 'sealed' },
    });
    const bytes = Buffer.from(toBinary(messageType('temporal.api.history.v1.History'), history));
    assert.ok(bytes.includes(encrypted.data));
  });

  test('a namespace that only reports lets the call go on, and its record names the first place', async () => {
    const answer = await watched.call('StartWorkflowExecution', {
      namespace: REPORTS,
      workflowId: 'plain',
      requestId: 'plain',
      ...started,
      input: { payloads: [plain, plain] },
    });
    assert.equal(answer.status, 0, answer.message);
    const requestId = answer.headers['gatehouse-request-id'];
    const records = (await site.house.events()).filter((it) => it['requestId'] === requestId);
    assert.deepEqual(
      records.map(({ outcome, reason, detail }) => [outcome, reason, detail]),
      [
        [
          'ok',
          'ok',
          'plaintext at input.payloads[0] and 1 more; `path:StartWorkflowExecution.input.payloads` in plaintextAllowed would let it pass',
        ],
      ],
    );
    const quiet = await watched.call('StartWorkflowExecution', {
      namespace: REPORTS,
      workflowId: 'quiet',
      requestId: 'quiet',
      ...started,
      input: { payloads: [encrypted] },
    });
    assert.equal(quiet.status, 0, quiet.message);
    const last = (await site.house.events()).find(
      (it) => it['requestId'] === quiet.headers['gatehouse-request-id'],
    );
    assert.equal(last?.['detail'], '');
  });

  test('T-071 a place is open from the moment that a word allows it, and closed from the moment that none does', async () => {
    const { write } = site.house.up.platform.directory;
    const send = async (workflowId: string): Promise<number> => {
      const header = { fields: { trace: plain } };
      const fields = { namespace: REQUIRES, workflowId, requestId: workflowId, ...started, header };
      return (await locked.call('StartWorkflowExecution', fields)).status;
    };
    const refused = 3;
    assert.equal(await send('closed'), refused);
    await write.setEncryption(REQUIRES, { plaintextAllowed: ['encoding:binary/zlib', 'header:trace'] });
    assert.equal(await send('open'), 0);
    await write.setEncryption(REQUIRES, { plaintextAllowed: ['encoding:binary/zlib'] });
    assert.equal(await send('closed-again'), refused);
  });

  for (const language of workerLanguages) {
    test(`every feature of the ${language} SDK works with its codec, and no call of it is refused`, async () => {
      const from = (await site.house.events()).length;
      const worker = await encryptingWorker(language);
      const outcome = await startWorkerProcess(worker, houseTarget(site.house, REQUIRES), {
        mode: 'features',
      }).ended;
      assert.deepEqual(
        outcome.lines.filter((it) => it['ok'] !== true),
        [],
        outcome.log,
      );
      assert.equal(outcome.lines.filter((it) => 'feature' in it).length, 21);
      assert.deepEqual(await refusedCalls(site.house, from), []);
      assert.ok((await site.house.events()).length - from > 100);
    });
  }

  test('T-071 a Worker without a codec gets nothing done, and is told why', async () => {
    const starter = await prepareWorker('typescript');
    const outcome = await startWorkerProcess(starter, houseTarget(site.house, REQUIRES), {
      mode: 'starter',
      taskQueue: 'nobody',
      count: 1,
    }).ended;
    assert.equal(outcome.exitCode, 1);
    assert.match(JSON.stringify(outcome.lines), new RegExp(refusals.plaintext_refused.text));
    assert.match(JSON.stringify(outcome.lines), /input\.payloads\[0\]/);
  });
});

/** TypeScript with our own codec, as an application would; the others with the one that their programs bring. */
async function encryptingWorker(language: WorkerLanguage): ReturnType<typeof prepareWorker> {
  const worker = await prepareWorker(language);
  const codec: Record<string, string> =
    language === 'typescript'
      ? {
          CODEC_KEYS: `k1 ${randomBytes(32).toString('base64')}`,
          DATA_CONVERTER: fileURLToPath(new URL('../codec/typescript/data-converter.ts', import.meta.url)),
        }
      : { CODEC: 'zlib' };
  return { ...worker, env: { ...worker.env, ...codec } };
}
