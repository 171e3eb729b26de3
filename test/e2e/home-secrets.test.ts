import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import {
  encode,
  openRawClient,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { GatehouseProcess } from './gatehouse-process.ts';
import {
  type Canary,
  canary,
  filesOf,
  keyCanary,
  leaksIn,
  leaksInFiles,
  leaksInProcesses,
} from './leak-search.ts';
import { assertClosed, openRuns } from './secrets-site.ts';

// The secrets that `up` makes for itself, and those that callers send. configured-secrets.test.ts: an operator's.

const NAMESPACE = 'default.local';
const root = mkdtempSync(join(tmpdir(), 'gatehouse-secrets-'));
const home = join(root, 'home');
const { run, failing, close } = openRuns();

after(async () => {
  await close(root);
  rmSync(root, { recursive: true, force: true });
});

const KMS_FILE = 'keys/local-kms.key';
const KMS_KEY = 'canary of 32 bytes, the KMS key!';
const TOKEN = 'canary-bearer-token-of-a-caller-0123456789';
const BODY = 'canary-of-a-body-that-is-no-message-0123456789';
const PAYLOAD = 'canary-payload-of-a-workflow-0123456789';

let running: GatehouseProcess;
let endpoint: EndpointFile;

function client(certificateOf: string | null = NAMESPACE): RawClient {
  return openRawClient({ endpoint, certificateOf, serverName: `${NAMESPACE}.${endpoint.domain}` });
}

/** What callers do wrong, with secrets in every place that they fill. */
async function tryEverything(): Promise<void> {
  const raw = client();
  const body = Buffer.from(BODY);
  const headers = { authorization: `Bearer ${TOKEN}`, cookie: `session=${TOKEN}`, 'x-api-key': TOKEN };
  const call = (path: string, message: Uint8Array, more = {}) =>
    raw.call(path, message, { headers, ...more });
  const count = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: NAMESPACE });
  const start = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
    namespace: NAMESPACE,
    workflowId: 'a',
    requestId: 'a',
    workflowType: { name: 'any' },
    taskQueue: { name: 'any' },
    input: {
      payloads: [{ data: Buffer.from(PAYLOAD), metadata: { encoding: Buffer.from('binary/plain') } }],
    },
  });
  const answers = [
    await call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, count),
    await call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, start),
    await call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, body),
    await call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, body, { rawBody: true }),
    await call(`${WORKFLOW_SERVICE}NoSuchMethod`, body),
    await call(`/${TOKEN}/${TOKEN}`, body),
    await call('/temporal.api.operatorservice.v1.OperatorService/DeleteNamespace', body),
    await call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, count, {
      headers: { ...headers, 'grpc-encoding': 'gzip' },
    }),
    await call(
      `${WORKFLOW_SERVICE}RespondWorkflowTaskCompleted`,
      encode('workflowservice.v1.RespondWorkflowTaskCompletedRequest', {
        namespace: NAMESPACE,
        taskToken: body,
      }),
    ),
  ];
  raw.close();
  assert.ok(answers.filter(({ status }) => status === 0).length >= 1, 'one of them is right');
  const stranger = client(null);
  await stranger.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, count, { headers });
  stranger.close();
  for (const target of [
    `/api/v1/namespaces/${NAMESPACE}/workflows/b`,
    '/',
    `/api/v1/namespaces/other.local/workflows`,
  ])
    await post(target, `{ "input": ["${BODY}" `);
  // Not TLS at all.
  const [host = '', port = ''] = endpoint.grpc.split(':');
  await new Promise((resolve) => {
    const socket = dial(Number(port), host, () => socket.end(`GET /${TOKEN} HTTP/1.1\r\n\r\n`));
    socket
      .resume()
      .on('error', () => undefined)
      .on('close', resolve);
  });
}

function post(target: string, body: string): Promise<unknown> {
  const namespace = endpoint.namespaces.find(({ id }) => id === NAMESPACE);
  const [host = '', port = ''] = endpoint.https?.split(':') ?? [];
  assert.ok(namespace !== undefined && host !== '');
  return new Promise((resolve, reject) => {
    const call = request({
      host,
      port,
      path: target,
      method: 'POST',
      headers: { authorization: `Basic ${TOKEN}`, 'content-type': 'application/json' },
      servername: namespace.host,
      ca: readFileSync(endpoint.serverCa),
      cert: readFileSync(namespace.clientCert),
      key: readFileSync(namespace.clientKey),
      agent: false,
    });
    call.on('response', (answer) => answer.resume().on('close', resolve));
    call.on('error', reject);
    call.end(body);
  });
}

/** Every secret of the home of `up`. */
function canariesOfHome(): readonly Canary[] {
  const keys = filesOf(home).filter((file) => file.endsWith('.key') && file !== KMS_FILE);
  assert.ok(keys.length >= 7, keys.join());
  return [canary('the KMS key', KMS_KEY, KMS_FILE), ...keys.map((file) => keyCanary(home, file))];
}

test('T-100b what is secret in a home is nowhere else: no output, log, record, metric, file or process shows it', async () => {
  mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, KMS_FILE), KMS_KEY, { mode: 0o600 });
  running = run(['up', '--home', home, '--port', '0', '--json']);
  await running.printed(/^\{.*\}\n/m);
  endpoint = JSON.parse(readFileSync(join(home, 'endpoint.json'), 'utf8'));
  const canaries = canariesOfHome();
  // The search itself: each is found where it belongs.
  for (const one of canaries) {
    for (const file of one.belongsIn) {
      assert.deepEqual(leaksIn(file, readFileSync(join(home, file)), [one]), [`${one.name} in ${file}`]);
    }
  }
  await tryEverything();
  const fromCallers = [
    canary('a token', TOKEN),
    canary('a body', BODY),
    canary('a payload', PAYLOAD),
    // How any signed token begins; those of the gateway too.
    { name: 'a JWT', forms: [Buffer.from('Bearer eyJ'), Buffer.from('"eyJ')], belongsIn: [] },
  ];
  const { metrics } = JSON.parse(readFileSync(join(home, 'engine', 'ports.json'), 'utf8'));
  const page = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  const asked = ['doctor', 'audit verify', 'audit search', 'keys list'].map((command) =>
    run([...command.split(' '), '--home', home]),
  );
  for (const { ended } of asked) await ended;
  const all = [...canaries, ...fromCallers];
  assert.deepEqual(
    [
      ...leaksIn('its output', running.stdout() + running.stderr(), all),
      ...asked.flatMap((command) =>
        leaksIn(command.child.spawnargs.slice(3).join(' '), command.stdout() + command.stderr(), all),
      ),
      ...leaksIn('the metrics', page, all),
      ...leaksInFiles(home, all),
      ...leaksInProcesses(home, all),
    ],
    [],
  );
});

test('T-082 SIGUSR1 opens no debugger of up, and a core dump of it or of its engine would hold no memory', async () => {
  const raw = client();
  const request_ = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: NAMESPACE });
  await assertClosed(
    running.child.pid,
    home,
    async () => (await raw.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request_)).status,
  );
  raw.close();
  assert.doesNotMatch(running.stderr(), /Debugger listening/);
});

test('T-100b a start that fails over a broken key file names the file, and shows nothing of what is in it', async () => {
  running.child.kill('SIGTERM');
  assert.equal(await running.ended, 0, running.stderr());
  const canaries = canariesOfHome();
  const args = ['up', '--home', home, '--port', '0'];
  const leaks: string[] = [];
  const broken = async (file: string, content: Buffer | string, expected: RegExp): Promise<void> => {
    const path = join(home, file);
    const sound = readFileSync(path);
    writeFileSync(path, content);
    const added = canary(`what was put into ${file}`, content, file);
    leaks.push(...(await failing(args, [...canaries, added], expected)));
    leaks.push(...leaksInFiles(home, [added]));
    writeFileSync(path, sound);
  };
  await broken(KMS_FILE, `${KMS_KEY}\n`, /local-kms\.key has 33 bytes, not 32/);
  await broken(KMS_FILE, KMS_KEY.replace('canary', 'CANARY'), /gatehouse: /);
  const sealed = readFileSync(join(home, 'keys/audit-signing-key.sealed'));
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  await broken('keys/audit-signing-key.sealed', sealed, /gatehouse: /);
  chmodSync(join(home, KMS_FILE), 0o644);
  leaks.push(...(await failing(args, canaries, /open to group or others/)));
  chmodSync(join(home, KMS_FILE), 0o600);
  assert.deepEqual(leaks, []);
});
