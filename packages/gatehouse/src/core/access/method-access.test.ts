import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificatePrincipal } from '#base/model/principal';
import { Refusal } from '#base/model/refusals';
import { engineApiRegistry } from '#base/proto/api-registry';
import { methodTables } from '#base/proto/wire-tables';
import { accessOf, type MethodAccess, methodPaths } from './method-access.ts';
import { decide } from './permit.ts';

const WORKFLOW = 'temporal.api.workflowservice.v1.WorkflowService';
const OPERATOR = 'temporal.api.operatorservice.v1.OperatorService';

const principal: CertificatePrincipal = {
  kind: 'certificate',
  namespaceId: 'orders.acme1',
  label: 'certificate:ab',
  credential: 'CN=ca 01',
  fingerprint: 'ab',
  issuer: 'CN=ca',
  serial: '01',
  notAfterMs: 0,
};

function methodsOf(service: string): string[] {
  const methods = engineApiRegistry().getService(service)?.methods ?? [];
  assert.ok(methods.length > 0, service);
  return methods.map(({ name }) => `/${service}/${name}`);
}

test("T-049 every method of the engine's WorkflowService has exactly one access class, and no other has one", () => {
  const listed = methodPaths().filter((path) => path.startsWith(`/${WORKFLOW}/`));
  assert.deepEqual([...listed].sort(), methodsOf(WORKFLOW).sort());
  // A method that stood in two lists would be in the table once only: the lists are counted by their text.
  assert.equal(new Set(listed).size, listed.length);
});

test('T-049 every method with an access class that is relayed has wire tables', () => {
  for (const path of methodPaths()) assert.ok(methodTables.has(path), path);
});

test('T-036 of OperatorService only ListSearchAttributes is open', () => {
  const open = methodsOf(OPERATOR).filter((path) => accessOf(path) !== 'never');
  assert.deepEqual(open, [`/${OPERATOR}/ListSearchAttributes`]);
});

test('T-036 services of the engine are denied by their name, whatever the method; what nobody has is unknown', () => {
  for (const service of [
    OPERATOR,
    'temporal.server.api.adminservice.v1.AdminService',
    'temporal.server.api.historyservice.v1.HistoryService',
    'temporal.server.api.matchingservice.v1.MatchingService',
  ]) {
    assert.equal(accessOf(`/${service}/NoSuchMethod`), 'never');
  }
  for (const path of [
    '',
    '/',
    `/${WORKFLOW}/`,
    `/${WORKFLOW}/NoSuchMethod`,
    `/${WORKFLOW}/StartWorkflowExecution/`,
    `/${WORKFLOW}/startworkflowexecution`,
    `//${WORKFLOW}/StartWorkflowExecution`,
    `/${WORKFLOW}//StartWorkflowExecution`,
    '/grpc.channelz.v1.Channelz/GetServers',
    '/constructor',
    '__proto__',
  ]) {
    assert.equal(accessOf(path), undefined, path);
  }
});

/** What a client certificate gets for each class, with Nexus off and on. */
const verdicts: Readonly<Record<MethodAccess, readonly [string, string]>> = {
  read: ['read', 'read'],
  write: ['write', 'write'],
  gateway: ['gateway', 'gateway'],
  never: ['method_denied', 'method_denied'],
  nexus: ['nexus_disabled', 'write'],
  off: ['feature_disabled', 'feature_disabled'],
};

test('T-049 the decision for a certificate follows from the class alone, in every cell', () => {
  for (const path of methodPaths()) {
    const access = accessOf(path);
    assert.ok(access);
    for (const nexusEnabled of [false, true]) {
      const decided = decide(principal, path, { nexusEnabled });
      const verdict = decided instanceof Refusal ? decided.code : decided.served;
      assert.equal(verdict, verdicts[access][nexusEnabled ? 1 : 0], path);
    }
  }
});

/** Read out of the engine's own table (common/api/metadata.go): reads that its authorizer lets a reader make. */
const READS = /^(?:Count|Describe|Get|List|Scan|Query)/;
/** Reads by name that change something or make the engine act, and so need a writer. */
const actsLikeWrite: ReadonlySet<string> = new Set(['PollWorkflowExecutionUpdate']);

test('T-049b no method whose name is that of a change is classed as a read', () => {
  for (const path of methodPaths()) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (accessOf(path) === 'read') assert.match(name, READS);
    if (accessOf(path) === 'write') assert.ok(!READS.test(name) || actsLikeWrite.has(name), name);
  }
});

test('a permit cannot be made by hand: a look-alike does not compile', () => {
  const path = `/${WORKFLOW}/StartWorkflowExecution`;
  const decided = decide(principal, path, { nexusEnabled: false });
  assert.ok(!(decided instanceof Refusal));
  // @ts-expect-error the private field makes the type nominal.
  const forged: typeof decided = { principal, path, served: 'write' };
  assert.notEqual(forged, decided);
});
