import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { obtainGrpcurl } from '../parts/grpcurl.ts';
import { type ProgramOutcome, runProgram } from '../parts/run-program.ts';
import { houseTarget } from './house-target.ts';

const WORKFLOW_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

let house: House;
let grpcurl: string;

before(async () => {
  [grpcurl, house] = await Promise.all([obtainGrpcurl(), startHouse()]);
});

after(async () => {
  await house?.close();
});

/** grpcurl asks the reflection service for everything that it knows. */
function run(...words: string[]): Promise<ProgramOutcome> {
  const { address, tls } = houseTarget(house);
  const { serverName, caFile, certificateFile, keyFile } = tls;
  const flags = ['-cacert', caFile, '-cert', certificateFile, '-key', keyFile, '-servername', serverName];
  const [last = '', ...others] = words.toReversed();
  return runProgram(grpcurl, [...flags, ...others.toReversed(), address, ...last.split(' ')]);
}

test('T-036 grpcurl lists what a tenant can call, and no more', async () => {
  const services = await run('list');
  assert.deepEqual(services.stdout.trim().split('\n').sort(), [
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    'temporal.api.operatorservice.v1.OperatorService',
    WORKFLOW_SERVICE,
  ]);
  const { stdout } = await run(`list ${WORKFLOW_SERVICE}`);
  assert.match(stdout, /\.StartWorkflowExecution$/m);
  assert.doesNotMatch(stdout, /\.(?:RegisterNamespace|ListNamespaces|UpdateNamespace)$/m);
});

test('grpcurl calls a method by its name alone', async () => {
  const { stdout } = await run(`${WORKFLOW_SERVICE}/GetSystemInfo`);
  assert.equal(JSON.parse(stdout).serverVersion, '1.31.2');
  const health = await run('grpc.health.v1.Health/Check');
  assert.equal(JSON.parse(health.stdout).status, 'SERVING');
});

test("grpcurl can spell out the details of the engine's errors", async () => {
  const request = '{"namespace":"default.local","execution":{"workflow_id":"missing"}}';
  const { stdout, stderr } = await run('-d', request, `${WORKFLOW_SERVICE}/DescribeWorkflowExecution`);
  assert.match(stdout + stderr, /temporal\.api\.errordetails\.v1\.NotFoundFailure/);
});
