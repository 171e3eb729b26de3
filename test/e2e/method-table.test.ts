import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { engineApiRegistry } from '../../packages/gatehouse/src/base/proto/api-registry.ts';
import {
  type AttackSite,
  assertRefused,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import {
  decode,
  encode,
  openRawClient,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import {
  type ScriptedSite,
  startScriptedSite,
  TENANT,
} from '../../packages/gatehouse/src/testing/scripted-site.ts';

// T-036, T-037 and the certificate's row of T-049: which methods exist, who answers them, and what happens to
// fields that are newer than our tables.

const ID = 'default.local';
const UNAUTHORIZED = 'Request unauthorized.';
const NOTHING = new Uint8Array(0);
const words = (text: string): string[] => text.trim().split(/\s+/);

let site: AttackSite;
let client: RawClient;
let scripted: ScriptedSite;

before(async () => {
  [site, scripted] = await Promise.all([startAttackSite(), startScriptedSite()]);
  client = site.open(ID, homeCredential(site.house.endpoint, ID));
});
after(async () => {
  await Promise.all([site.close(), scripted.close()]);
});

/** Of the engine's own table (common/api/metadata.go of 1.31.2): what its authorizer asks for. */
const engineReads = words(`
  CountActivityExecutions CountSchedules CountWorkflowExecutions DescribeActivityExecution
  DescribeBatchOperation DescribeDeployment DescribeNamespace DescribeSchedule DescribeTaskQueue
  DescribeWorker DescribeWorkerDeployment DescribeWorkerDeploymentVersion DescribeWorkflowExecution
  DescribeWorkflowRule FetchWorkerConfig GetCurrentDeployment GetDeploymentReachability
  GetWorkerBuildIdCompatibility GetWorkerTaskReachability GetWorkerVersioningRules
  GetWorkflowExecutionHistory GetWorkflowExecutionHistoryReverse ListActivityExecutions
  ListArchivedWorkflowExecutions ListBatchOperations ListClosedWorkflowExecutions ListDeployments
  ListOpenWorkflowExecutions ListScheduleMatchingTimes ListSchedules ListTaskQueuePartitions
  ListWorkerDeployments ListWorkers ListWorkflowExecutions ListWorkflowRules PollActivityExecution
  PollWorkflowExecutionUpdate QueryWorkflow ScanWorkflowExecutions
  ValidateWorkerDeploymentVersionComputeConfig GetSystemInfo GetSearchAttributes
`);

/** Where a client certificate does not get just what the engine would ask for, with the reason. */
const exceptions: ReadonlyMap<string, string> = new Map([
  // Names other tenants, or changes what they share.
  ...words('RegisterNamespace UpdateNamespace DeprecateNamespace ListNamespaces').map(
    (it) => [it, 'denied'] as const,
  ),
  // Would show versions and stores of the platform.
  ['GetClusterInfo', 'gateway'],
  // Temporal Cloud asks for write permission.
  ['PollWorkflowExecutionUpdate', 'write'],
  ...words('PollNexusTaskQueue RespondNexusTaskCompleted RespondNexusTaskFailed').map(
    (it) => [it, 'nexus off'] as const,
  ),
  // Features that this platform keeps off in the engine.
  ...words(`
    CreateWorkflowRule DeleteWorkflowRule DescribeWorkflowRule ListWorkflowRules TriggerWorkflowRule
    FetchWorkerConfig UpdateWorkerConfig PauseWorkflowExecution UnpauseWorkflowExecution
    UpdateWorkerDeploymentVersionComputeConfig ValidateWorkerDeploymentVersionComputeConfig
    CountActivityExecutions DeleteActivityExecution DescribeActivityExecution ListActivityExecutions
    PollActivityExecution RequestCancelActivityExecution StartActivityExecution TerminateActivityExecution
  `).map((it) => [it, 'off'] as const),
]);

test('T-049a the whole row of a client certificate equals the golden matrix, over the wire, each call with one record', async () => {
  const methods =
    engineApiRegistry().getService('temporal.api.workflowservice.v1.WorkflowService')?.methods ?? [];
  assert.equal(methods.length, 109, 'methods of the pinned engine');
  const tenant = scripted.open(TENANT);
  const seen: Record<string, string> = {};
  const golden: Record<string, string> = {};
  for (const { name } of methods) {
    golden[name] = exceptions.get(name) ?? (engineReads.includes(name) ? 'read' : 'write');
    const { answer, engineSaw, event } = await scripted.observe(() =>
      tenant.call(WORKFLOW_SERVICE + name, NOTHING),
    );
    assert.equal(event.method, `${WORKFLOW_SERVICE.slice(1)}${name}`);
    assert.equal(event.namespace, TENANT);
    const role = String(scripted.engine.seen.at(-1)?.headers.authorization).split(' ').at(-1) ?? '';
    seen[name] = cellOf(answer.status, answer.message, engineSaw, role);
  }
  assert.deepEqual(seen, golden);
});

function cellOf(status: number, message: string, engineSaw: number, role: string): string {
  if (engineSaw === 1) return status === 0 ? role : `relayed: ${status}`;
  if (status === 0) return 'gateway';
  if (status === 7 && message === UNAUTHORIZED) return 'denied';
  if (status === 12 && message.includes('engine.nexus.enabled')) return 'nexus off';
  if (status === 12 && message === 'this method is off on this platform') return 'off';
  return `${status} ${message}`;
}

const ADMIN = '/temporal.server.api.adminservice.v1.AdminService/';
const OPERATOR = '/temporal.api.operatorservice.v1.OperatorService/';

test("T-036 the engine's own services are denied, OperatorService too: with D, and the engine hears of nothing", async () => {
  const operator =
    engineApiRegistry().getService('temporal.api.operatorservice.v1.OperatorService')?.methods ?? [];
  const paths = [
    ...operator.map(({ name }) => OPERATOR + name).filter((path) => !path.endsWith('/ListSearchAttributes')),
    `${OPERATOR}NoSuchMethod`,
    `${ADMIN}DescribeMutableState`,
    `${ADMIN}AddTasks`,
    `${ADMIN}NoSuchMethod`,
    '/temporal.server.api.historyservice.v1.HistoryService/GetMutableState',
    '/temporal.server.api.matchingservice.v1.MatchingService/PollWorkflowTaskQueue',
  ];
  assert.ok(paths.length > 15);
  await site.engine.sawNothing(async () => {
    for (const path of paths) {
      await assertRefused(site, await client.call(path, NOTHING), { code: 'method_denied' });
    }
  });
});

test('T-036 an unknown method or service is not implemented, whatever it looks like', async () => {
  const paths = [
    `${WORKFLOW_SERVICE}NoSuchMethod`,
    `${WORKFLOW_SERVICE}startWorkflowExecution`,
    `${WORKFLOW_SERVICE}StartWorkflowExecution/`,
    `${WORKFLOW_SERVICE}StartWorkflowExecution?x=1`,
    `/${WORKFLOW_SERVICE}StartWorkflowExecution`,
    `${WORKFLOW_SERVICE}%53tartWorkflowExecution`,
    // In newer APIs, not in this engine.
    `${WORKFLOW_SERVICE}StartNexusOperationExecution`,
    `${WORKFLOW_SERVICE}CountWorkers`,
    '/temporal.api.cloud.cloudservice.v1.CloudService/GetNamespaces',
    '/',
    '/__proto__',
  ];
  await site.engine.sawNothing(async () => {
    for (const path of paths) {
      const answer = await client.call(path, NOTHING);
      // A stranger's method names do not fill the record (T-096).
      await assertRefused(site, answer, { code: 'method_unknown', record: { method: 'other' } });
    }
  });
});

test('T-036 the replication stream (CVE-2026-5724) is denied before a byte of it is read', async () => {
  await site.engine.sawNothing(async () => {
    const stream = client.session.request({
      ':method': 'POST',
      ':path': `${ADMIN}StreamWorkflowReplicationMessages`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // The stream stays open on our side: the answer must not wait for its end.
    const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.on('response', resolve);
      stream.on('error', reject);
    });
    assert.deepEqual(
      [headers['grpc-status'], decodeURIComponent(String(headers['grpc-message']))],
      ['7', UNAUTHORIZED],
    );
    stream.destroy();
  });
});

test('T-036 a caller with no certificate learns nothing of which methods exist', async () => {
  const { endpoint } = site.house;
  const stranger = openRawClient({ endpoint, certificateOf: null, serverName: site.host(ID) });
  const answers = await Promise.all(
    [`${WORKFLOW_SERVICE}GetSystemInfo`, `${WORKFLOW_SERVICE}NoSuchMethod`, `${ADMIN}AddTasks`].map((path) =>
      stranger.call(path, NOTHING),
    ),
  );
  stranger.close();
  for (const answer of answers) assert.equal(answer.status, -1, 'the connection does not stand');
});

const describeRequest = 'workflowservice.v1.DescribeNamespaceRequest';

test('T-036 channelz, and any other service of gRPC itself, is not implemented', async () => {
  await site.engine.sawNothing(async () => {
    const answer = await client.call('/grpc.channelz.v1.Channelz/GetServers', NOTHING);
    await assertRefused(site, answer, { code: 'method_unknown' });
  });
});

test('T-037 a field of a newer API is cut and the call works, in a call of its own and in a start', async () => {
  // DescribeNamespaceRequest.weak_consistency = 3, since API 1.63.
  const weak = Buffer.concat([encode(describeRequest, { namespace: ID }), Buffer.from([0x18, 0x01])]);
  const described = await client.call(`${WORKFLOW_SERVICE}DescribeNamespace`, weak);
  assert.equal(described.status, 0, described.message);
  assert.equal(decode('workflowservice.v1.DescribeNamespaceResponse', described.body).namespaceInfo.name, ID);
  const start = Buffer.concat([
    encode('workflowservice.v1.StartWorkflowExecutionRequest', {
      namespace: ID,
      workflowId: 'newer-field',
      workflowType: { name: 'newer' },
      taskQueue: { name: 'newer' },
      requestId: 'newer-field',
    }),
    // propagated_nexus_serialization_context = 30, with what may be a payload in it.
    new BinaryWriter()
      .tag(30, WireType.LengthDelimited)
      .bytes(Buffer.from([0x0a, 0x01, 0x41]))
      .finish(),
  ]);
  const started = await client.call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, start);
  assert.equal(started.status, 0, started.message);
  await site.engine.settle();
});

test('T-037 a field that nobody knows is I "upgrade the gateway", wherever it stands; the engine hears of nothing', async () => {
  const unknown = new BinaryWriter()
    .tag(500, WireType.LengthDelimited)
    .string('a value to keep quiet about')
    .finish();
  const inQueue = new BinaryWriter().tag(4, WireType.LengthDelimited).bytes(unknown).finish();
  await site.engine.sawNothing(async () => {
    for (const [message, at] of [
      [Buffer.concat([encode(describeRequest, { namespace: ID }), unknown]), 'DescribeNamespaceRequest#500'],
      [inQueue, 'TaskQueue#500'],
    ] as const) {
      const method = message === inQueue ? 'StartWorkflowExecution' : 'DescribeNamespace';
      const answer = await client.call(WORKFLOW_SERVICE + method, message);
      assert.match(answer.message, /upgrade the gateway/);
      assert.match(answer.message, new RegExp(at));
      assert.doesNotMatch(answer.message, /quiet/);
      await assertRefused(site, answer, {
        code: 'field_unknown',
        publicDetail: answer.message.split(': ').slice(1).join(': '),
      });
    }
  });
});

test('T-037 a value of an enum that is newer than known goes on, and the engine decides', async () => {
  await site.engine.saw({ 'StartWorkflowExecution default_local': 1 }, async () => {
    const start = Buffer.concat([
      encode('workflowservice.v1.StartWorkflowExecutionRequest', {
        namespace: ID,
        workflowId: 'newer-enum',
        workflowType: { name: 'newer' },
        taskQueue: { name: 'newer' },
        requestId: 'newer-enum',
      }),
      // workflow_id_reuse_policy = 11, with a value that no release has.
      Buffer.from([0x58, 0x63]),
    ]);
    const answer = await client.call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, start);
    assert.ok([0, 3].includes(answer.status), `${answer.status} ${answer.message}`);
  });
});

test('only known metadata reaches the engine: nothing that it trusts without asking who sent it (data-plane.md 5.1)', async () => {
  const tenant = scripted.open(TENANT);
  const known = {
    'client-name': 'temporal-go',
    'client-version': '1.0.0',
    'supported-features': 'x',
    traceparent: '00-1-2-03',
  };
  await tenant.call(`${WORKFLOW_SERVICE}GetSystemInfo`, NOTHING, {
    headers: {
      ...known,
      'caller-type': 'operator',
      'caller-name': 'other',
      'call-initiation': 'x',
      'xdc-redirection': 'true',
      'xdc-redirection-api': 'x',
      'temporal-experiment': '*',
      'temporal-principal-type': 'admin',
      'temporal-principal-name': 'root',
      'authorization-extras': 'x',
      'x-forwarded-client-cert': 'x',
      'x-forwarded-for': '10.0.0.1',
      tracestate: 'v'.repeat(300),
    },
  });
  const headers = scripted.engine.seen.at(-1)?.headers ?? {};
  const usual = ['te', 'content-type', 'authorization', 'grpc-timeout'];
  assert.deepEqual(
    Object.keys(headers)
      .filter((name) => !name.startsWith(':') && !usual.includes(name))
      .sort(),
    Object.keys(known).sort(),
  );
  assert.equal(headers.authorization, `Bearer ${TENANT} read`);
});

test('answers of the gateway for known clients: cluster, search attributes by both calls, namespace by its own id', async () => {
  const ask = async (path: string, request: string, reply: string, fields: Record<string, unknown> = {}) => {
    const answer = await client.call(path, encode(request, fields));
    assert.equal(answer.status, 0, `${path}: ${answer.message}`);
    return decode(reply, answer.body);
  };
  const cluster = await ask(
    `${WORKFLOW_SERVICE}GetClusterInfo`,
    'workflowservice.v1.GetClusterInfoRequest',
    'workflowservice.v1.GetClusterInfoResponse',
  );
  assert.deepEqual([cluster.clusterName, cluster.serverVersion, cluster.clusterId], ['gatehouse', '', '']);
  const old = await ask(
    `${WORKFLOW_SERVICE}GetSearchAttributes`,
    'workflowservice.v1.GetSearchAttributesRequest',
    'workflowservice.v1.GetSearchAttributesResponse',
  );
  assert.ok('WorkflowId' in old.keys && 'ExecutionStatus' in old.keys);
  assert.ok(!Object.keys(old.keys).some((name) => /^Keyword\d+$/.test(name)), 'no columns of the store');
  const list = await ask(
    `${OPERATOR}ListSearchAttributes`,
    'operatorservice.v1.ListSearchAttributesRequest',
    'operatorservice.v1.ListSearchAttributesResponse',
    { namespace: ID },
  );
  assert.ok('WorkflowId' in list.systemAttributes);
  const id = site.house.up.platform.directory.snapshot().namespaces.get(ID)?.engineId ?? '';
  const byId = await ask(
    `${WORKFLOW_SERVICE}DescribeNamespace`,
    describeRequest,
    'workflowservice.v1.DescribeNamespaceResponse',
    { id },
  );
  assert.deepEqual([byId.namespaceInfo.name, byId.namespaceInfo.id], [ID, id]);
});
