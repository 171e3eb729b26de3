// One real Worker and one real Workflow through the gateway. Uses the Temporal TypeScript SDK as it comes:
// npm install @temporalio/client @temporalio/worker @temporalio/workflow @temporalio/activity
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';

const {
  TEMPORAL_ADDRESS,
  TEMPORAL_NAMESPACE,
  TEMPORAL_TLS_SERVER_NAME,
  TEMPORAL_TLS_CA,
  TEMPORAL_TLS_CERT,
  TEMPORAL_TLS_KEY,
} = process.env;

const settings = {
  address: TEMPORAL_ADDRESS,
  tls: {
    serverNameOverride: TEMPORAL_TLS_SERVER_NAME,
    serverRootCACertificate: readFileSync(TEMPORAL_TLS_CA),
    clientCertPair: { crt: readFileSync(TEMPORAL_TLS_CERT), key: readFileSync(TEMPORAL_TLS_KEY) },
  },
};
const taskQueue = 'quickstart';
const workflowId = `quickstart-${Date.now()}`;

Runtime.install({
  logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.error, error: console.error },
});

const workerConnection = await NativeConnection.connect(settings);
const connection = await Connection.connect(settings);
const client = new Client({ connection, namespace: TEMPORAL_NAMESPACE });
const worker = await Worker.create({
  connection: workerConnection,
  namespace: TEMPORAL_NAMESPACE,
  taskQueue,
  workflowsPath: new URL('./workflows.mjs', import.meta.url).pathname,
  activities: { greet: async (name) => `Hello, ${name}!` },
});
const started = performance.now();
const result = await worker.runUntil(
  client.workflow.execute('greeting', { taskQueue, workflowId, args: ['Gatehouse'] }),
);
await connection.close();
await workerConnection.close();
if (result !== 'Hello, Gatehouse!') throw new Error(`unexpected result: ${result}`);
console.log(JSON.stringify({ workflowId, result, tookMs: Math.round(performance.now() - started) }));
