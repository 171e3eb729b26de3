import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import { listListeningSockets } from '../../packages/gatehouse/src/core/engine/listening-sockets.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/gatehouse/src/testing/embedded-postgres.ts';
import {
  encode,
  openRawClient,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Site } from './serve-site.ts';

const NAMESPACE = 'default.local';
const root = mkdtempSync(join(tmpdir(), 'gatehouse-secrets-'));
const home = join(root, 'home');
const started: GatehouseProcess[] = [];

/** Something that must not be seen, and the files of a home that it is in by design. */
interface Canary {
  readonly name: string;
  /** Every form in which it could be printed. */
  readonly forms: readonly Buffer[];
  readonly belongsIn: readonly string[];
}

/** A secret as bytes, hex, base64, in a URL, and as the runtime prints a buffer. */
function canary(name: string, secret: string | Buffer, ...belongsIn: readonly string[]): Canary {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const texts = [
    hex,
    hex.toUpperCase(),
    (hex.slice(0, 64).match(/../g) ?? []).join(' '),
    // Its end depends on what follows.
    bytes.toString('base64').slice(0, Math.floor(bytes.length / 3) * 4),
    bytes.toString('base64url').slice(0, Math.floor(bytes.length / 3) * 4),
    [...bytes.subarray(0, 16)].join(','),
    encodeURIComponent(bytes.toString('latin1')),
  ];
  return { name, forms: [bytes, ...texts.map((text) => Buffer.from(text))], belongsIn };
}

/** A private key: as it is written, and its secret number. */
function keyCanary(folder: string, file: string): Canary {
  const pem = readFileSync(join(folder, file), 'utf8');
  const { d } = createPrivateKey(pem).export({ format: 'jwk' });
  assert.ok(d !== undefined);
  const line = pem.split('\n')[2];
  assert.ok(line !== undefined && line.length >= 40, file);
  const { forms } = canary(file, Buffer.from(d, 'base64url'));
  return { name: file, forms: [...forms, Buffer.from(line)], belongsIn: [file] };
}

/** Where it was found, as `what in where`. */
function leaksIn(where: string, content: Buffer | string, canaries: readonly Canary[]): readonly string[] {
  const bytes = Buffer.from(content);
  return canaries
    .filter(({ forms }) => forms.some((form) => bytes.includes(form)))
    .map(({ name }) => `${name} in ${where}`);
}

/** Everything in a folder but where each canary belongs. */
function leaksInFiles(folder: string, canaries: readonly Canary[]): readonly string[] {
  return filesOf(folder).flatMap((file) =>
    leaksIn(
      file,
      readFileSync(join(folder, file)),
      canaries.filter(({ belongsIn }) => !belongsIn.some((place) => file.startsWith(place))),
    ),
  );
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** What other users, or other processes of this one, see of a process without asking for its memory. */
function leaksInProcesses(folder: string, canaries: readonly Canary[]): readonly string[] {
  const pids = processesOf(folder);
  assert.ok(pids.length >= 3, 'the platform, the guard and the engine');
  return pids.flatMap((pid) =>
    ['cmdline', 'environ', 'comm'].flatMap((file) =>
      leaksIn(`/proc/${pid}/${file}`, readFileSync(`/proc/${pid}/${file}`), canaries),
    ),
  );
}

function run(args: readonly string[], environment?: Record<string, string>): GatehouseProcess {
  const process_ = startGatehouse(args, environment);
  started.push(process_);
  return process_;
}

/** Runs a command that must fail, and says where a canary was seen in what it printed and wrote. */
async function failing(
  args: readonly string[],
  canaries: readonly Canary[],
  expected: RegExp,
  environment?: Record<string, string>,
): Promise<readonly string[]> {
  const process_ = run(args, environment);
  const code = await process_.ended;
  const printed = process_.stdout() + process_.stderr();
  const leaks = leaksIn(args.join(' '), printed, canaries);
  // A leak first: a message that does not match would be printed whole.
  if (leaks.length === 0) {
    assert.ok(code === 1 || code === 2, printed);
    assert.match(printed, expected);
  }
  return leaks;
}

let postgres: EmbeddedPostgres;
let site: Site;

before(async () => {
  [postgres, site] = await Promise.all([startEmbeddedPostgres({ tcp: true }), makeSite()]);
  await site.makeCa('orders');
});

after(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL');
    await ended;
  }
  const left = (): readonly number[] => [...processesOf(root), ...processesOf(site.folder)];
  await until('no process left', () => left().length === 0, 15_000);
  await postgres?.close();
  site?.close();
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

/** Twenty signals later everything is as it was: SIGUSR1 would make Node open a debugger. */
async function assertClosed(
  pid: number | undefined,
  folder: string,
  ask: () => Promise<number>,
): Promise<void> {
  assert.ok(pid !== undefined);
  const listeners = await listListeningSockets(pid);
  assert.ok(listeners !== undefined && listeners.length > 0);
  for (let round = 0; round < 20; round += 1) process.kill(pid, 'SIGUSR1');
  assert.equal(await ask(), 0, 'it still serves');
  const pending = /^ShdPnd:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  assert.equal(Number(pending), 0, 'every signal was taken');
  assert.deepEqual(await listListeningSockets(pid), listeners);
  const pids = processesOf(folder);
  assert.ok(pids.includes(pid) && pids.length >= 3, 'the platform, the guard and the engine');
  for (const one of pids)
    assert.equal(readFileSync(`/proc/${one}/coredump_filter`, 'utf8').trim(), '00000000', String(one));
}

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

const PASSWORD = 'canary-of-a-password/+%40?&=0123456789';
const WRONG = 'canary-of-a-wrong-password-0123456789';
/** A reference that is resolved from the environment. */
const BY_ENVIRONMENT = `password: '\${env:WRONG}'`;
const passwords = [
  canary('the password', PASSWORD, 'home/engine/data/engine.yaml', 'password'),
  canary('the wrong password', WRONG, 'wrong', 'gatehouse.yaml'),
];

function server(more: string): string {
  const { host, port, user } = postgres.connection('');
  return `kind: postgres, host: ${host}, port: ${port}, user: ${user}, ${more}`;
}

/** On a new home: a directory of before would serve in the place of one that cannot be opened. */
function configure(more: string, namespaces: readonly string[] = []): void {
  rmSync(site.home, { recursive: true, force: true });
  site.configure({ namespaces, more });
}

test('T-100b a configuration that is refused is not quoted: no value of it, no secret that it refers to', async () => {
  writeFileSync(join(site.folder, 'password'), PASSWORD, { mode: 0o600 });
  writeFileSync(join(site.folder, 'wrong'), WRONG, { mode: 0o644 });
  const serve = ['serve', '--config', site.configFile];
  const pem = {
    name: 'a key in the place of a CA',
    forms: keyCanary(site.folder, 'orders.key').forms,
    belongsIn: ['orders.key'],
  };
  const all = [...passwords, pem];
  const cases: readonly (readonly [string, RegExp, (readonly string[])?])[] = [
    [`directory: { ${server(`password: '${WRONG}'`)} }`, /directory\.password.*is the secret itself/],
    [`directory: { ${server("password: 'file:wrong'")} }`, /can be read or changed by other users/],
    [
      `directory: { ${server(`password: '\${env:UNSET}', host2: '${WRONG}'`)} }`,
      /set the environment variable UNSET/,
    ],
    [`directory: { ${server(BY_ENVIRONMENT)} }\naccount: '\${env:WRONG}'`, /account.*is for secrets only/],
    [`directory: { ${server(`password: "${WRONG}`)} }`, /is not YAML/],
    [`sesame: '${WRONG}'`, /sesame.*is not a known key/],
    [
      `encryption: { kms: { kind: vault, address: '${WRONG}', key: k, token: '${WRONG}' } }`,
      /token.*is the secret itself/,
    ],
    ['', /namespaces\.0\.caFile/, ['{ id: orders.acme1, caFile: orders.key }']],
  ];
  const leaks: string[] = [];
  for (const [more, expected, namespaces] of cases) {
    configure(more, namespaces);
    const doctor = run(['doctor', '--config', site.configFile], { WRONG });
    leaks.push(...(await failing(serve, all, expected, { WRONG })));
    await doctor.ended;
    leaks.push(...leaksIn('doctor', doctor.stdout() + doctor.stderr(), all));
    leaks.push(...leaksInFiles(site.folder, all));
  }
  assert.deepEqual(leaks, []);
});

test('T-100b a KMS that refuses a token and quotes it, and a database that refuses a password: neither is shown', async () => {
  // As an unkind service would: everything that it was sent is in its answer.
  const vault = createServer((req, res) => {
    res.writeHead(403, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ errors: [`permission denied for ${JSON.stringify(req.headers)}`] }));
  });
  await new Promise<void>((resolve) => vault.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
  const serve = ['serve', '--config', site.configFile];
  const leaks: string[] = [];
  configure(`encryption: { kms: { kind: vault, address: '${address}', key: k, token: '\${env:WRONG}' } }`);
  leaks.push(...(await failing(serve, passwords, /gatehouse: /, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  vault.close();
  configure(`directory: { ${server(BY_ENVIRONMENT)} }`);
  leaks.push(...(await failing(serve, passwords, /gatehouse: /, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  configure(`engine: { storage: { ${server(BY_ENVIRONMENT)} } }`);
  leaks.push(...(await failing(serve, passwords, /schema of PostgreSQL/, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  assert.deepEqual(leaks, []);
});

test('T-100b T-082 the password of PostgreSQL is in the engine’s own file alone, and serve is as closed as up', async () => {
  const administrator = new pg.Client(postgres.connection('postgres'));
  await administrator.connect();
  await administrator.query('create database gatehouse');
  await administrator.query(`create role canary login superuser password '${PASSWORD}'`);
  await administrator.end();
  const { host, port } = postgres.connection('');
  const database = `kind: postgres, host: ${host}, port: ${port}, user: canary, password: 'file:password'`;
  configure(`directory: { ${database} }\nengine: { storage: { ${database} } }`, [
    '{ id: orders.acme1, caFile: orders-ca.pem }',
  ]);
  const serving = run(['serve', '--config', site.configFile]);
  const [line] = await serving.printed(/^\{"ready":true.*\}\n/m, 60_000);
  assert.equal(statSync(join(site.home, 'engine', 'data', 'engine.yaml')).mode & 0o077, 0);
  const raw = openRawClient({
    endpoint: site.endpoint(JSON.parse(line).grpc, { 'orders.acme1': 'orders' }),
    certificateOf: 'orders.acme1',
    serverName: `orders.acme1.${DOMAIN}`,
  });
  const request_ = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: 'orders.acme1' });
  const call = () => raw.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request_, { timeoutMs: 3000 });
  await assertClosed(serving.child.pid, site.folder, async () => (await call()).status);
  await postgres.stop();
  const refused = await call();
  assert.notEqual(refused.status, 0);
  raw.close();
  const engineLog = join(site.home, 'logs', 'engine.log');
  await until('the engine complains', () => /connect|database/.test(readFileSync(engineLog, 'utf8')), 20_000);
  const leaks = [
    ...leaksIn('its output', serving.stdout() + serving.stderr(), passwords),
    ...leaksIn('its answer', JSON.stringify(refused), passwords),
    ...leaksInProcesses(site.folder, passwords),
  ];
  serving.child.kill('SIGTERM');
  await serving.ended;
  leaks.push(...leaksIn('its last words', serving.stdout() + serving.stderr(), passwords));
  assert.deepEqual([...leaks, ...leaksInFiles(site.folder, passwords)], []);
});
