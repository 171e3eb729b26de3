/** Seals one message over and over and prints megabytes per second of CPU. Argument: bytes of its payload. */
import { randomBytes } from 'node:crypto';
import { createNamespaceKeyring } from '../packages/gatehouse/src/base/crypto/namespace-keyring.ts';
import { Secret } from '../packages/gatehouse/src/base/crypto/secret.ts';
import { MessageScanner } from '../packages/gatehouse/src/base/proto/scan-message.ts';
import { GRPC_PREFIX_BYTES, splicePieces } from '../packages/gatehouse/src/base/proto/splice-message.ts';
import { methodTables, requestTables } from '../packages/gatehouse/src/base/proto/wire-tables.ts';
import { sealMessage } from '../packages/gatehouse/src/core/sealing/seal-message.ts';
import { signalCall } from './requests.ts';

const SECOND_MS = 1_000;

const payloadBytes = Number(process.argv[2]);
const method = methodTables.get('/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution');
if (method === undefined) throw new Error('the API has no SignalWorkflowExecution');
const scope = { region: 'aws-local', account: 'local', namespaceUuid: 'bench' };
const keyring = createNamespaceKeyring(scope, [
  { id: '0123456789abcdef', purpose: 'payload', createdAtMs: 0, key: new Secret(randomBytes(32)) },
]);
const { body } = signalCall({ serverName: 'bench', namespace: 'default.local', payloadBytes });
const scanner = new MessageScanner(requestTables, { reply: false });

function sealFor(milliseconds: number): number {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  let sealed = 0;
  while (performance.now() - begin < milliseconds) {
    if (method === undefined || !scanner.scan(method.request, body, GRPC_PREFIX_BYTES))
      throw new Error('no scan');
    splicePieces(scanner, sealMessage(scanner, { sealing: true, keyring, sealedAttributes: [] }));
    sealed += payloadBytes;
  }
  const { user, system } = process.cpuUsage(cpu);
  return sealed / (user + system);
}

sealFor(SECOND_MS / 4);
console.log(sealFor(SECOND_MS));
