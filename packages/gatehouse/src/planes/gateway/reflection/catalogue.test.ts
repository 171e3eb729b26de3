import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { accessOf } from '#core/access/method-access';
import { openCatalogue, type ReflectionCatalogue } from './catalogue.ts';

const WORKFLOW_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';
const OPERATOR_SERVICE = 'temporal.api.operatorservice.v1.OperatorService';

test('T-036 reflection lists exactly the methods that the caller can call', () => {
  const methods = methodsOf(openCatalogue({ nexusEnabled: false }), WORKFLOW_SERVICE);
  assert.ok(methods.includes('StartWorkflowExecution') && methods.includes('GetClusterInfo'));
  for (const hidden of [
    'RegisterNamespace',
    'ListNamespaces',
    'PollNexusTaskQueue',
    'PauseWorkflowExecution',
  ]) {
    assert.ok(!methods.includes(hidden), hidden);
  }
  for (const method of methods) {
    assert.match(accessOf(`/${WORKFLOW_SERVICE}/${method}`) ?? '', /^(?:read|write|gateway)$/);
  }
  assert.deepEqual(methodsOf(openCatalogue({ nexusEnabled: false }), OPERATOR_SERVICE), [
    'ListSearchAttributes',
  ]);
});

test('T-036 Nexus methods are shown where Nexus is on', () => {
  const methods = methodsOf(openCatalogue({ nexusEnabled: true }), WORKFLOW_SERVICE);
  assert.ok(methods.includes('PollNexusTaskQueue'));
});

test('the services are those that this port serves', () => {
  assert.deepEqual([...openCatalogue({ nexusEnabled: false }).services].sort(), [
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    OPERATOR_SERVICE,
    WORKFLOW_SERVICE,
  ]);
});

test('T-036 a hidden method is no symbol either', () => {
  const catalogue = openCatalogue({ nexusEnabled: false });
  assert.equal(catalogue.fileOfSymbol(`${WORKFLOW_SERVICE}.RegisterNamespace`), undefined);
  assert.equal(
    catalogue.fileOfSymbol(`${WORKFLOW_SERVICE}.StartWorkflowExecution`),
    'temporal/api/workflowservice/v1/service.proto',
  );
});

test('a file comes first, with all that it imports, and what was sent is not sent again', () => {
  const catalogue = openCatalogue({ nexusEnabled: false });
  const sent = new Set<string>();
  const first = catalogue.files('temporal/api/workflowservice/v1/service.proto', sent) ?? [];
  const files = first.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  assert.equal(files[0]?.name, 'temporal/api/workflowservice/v1/service.proto');
  const names = new Set(files.map((file) => file.name));
  for (const file of files) for (const name of file.dependency) assert.ok(names.has(name), name);
  assert.equal(catalogue.files('temporal/api/workflowservice/v1/service.proto', sent)?.length, 1);
  assert.equal(catalogue.files('no/such/file.proto', sent), undefined);
});

test('extensions are found by number and listed by type', () => {
  const catalogue = openCatalogue({ nexusEnabled: false });
  assert.equal(
    catalogue.fileOfExtension('google.protobuf.MethodOptions', 72295728),
    'google/api/annotations.proto',
  );
  assert.ok(catalogue.extensionNumbers('google.protobuf.MethodOptions')?.includes(72295728));
  assert.deepEqual(catalogue.extensionNumbers('temporal.api.common.v1.Payload'), []);
  assert.equal(catalogue.extensionNumbers('no.such.Type'), undefined);
});

function methodsOf(catalogue: ReflectionCatalogue, service: string): string[] {
  const file = catalogue.fileOfSymbol(service) ?? '';
  const [bytes] = catalogue.files(file, new Set()) ?? [];
  assert.ok(bytes);
  const found = fromBinary(FileDescriptorProtoSchema, bytes).service.find(
    (each) => service === `${fromBinary(FileDescriptorProtoSchema, bytes).package}.${each.name}`,
  );
  return found?.method.map((method) => method.name) ?? [];
}
