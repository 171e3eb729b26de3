import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldRoles, runScanFuzz } from '../fuzz/scan-differential.ts';
import { startGoDecoder } from '../parts/go-decoder.ts';

test("T-033 T-034 T-035 on mutated messages the scanner and the engine's own decoder agree, or the message is refused", async (t) => {
  const seconds = Number(process.env['GATEHOUSE_FUZZ_SECONDS'] ?? 60);
  const seed = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const go = await startGoDecoder(fieldRoles(), { progress: (line) => t.diagnostic(line) });
  t.after(() => go.close());
  const report = await runScanFuzz({ seed, go, milliseconds: seconds * 1000 });
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.accepted > report.inputs / 10);
});

test('the decoder finds a method by the rules of grpc-go, and says what it does not know', async (t) => {
  const go = await startGoDecoder(fieldRoles());
  t.after(() => go.close());
  const service = 'temporal.api.workflowservice.v1.WorkflowService';
  const bytes = Buffer.from('0a066f7264657273fa3e03fffefd', 'hex');
  const ask = (path: string) => go.decode({ path, direction: 'request', bytes });
  const expected = {
    method: `${service}/StartWorkflowExecution`,
    type: 'temporal.api.workflowservice.v1.StartWorkflowExecutionRequest',
    mentions: ['1:1:6f7264657273'],
    unknown: ['1007:03fffefd'],
  };
  assert.deepEqual(await ask(`/${service}/StartWorkflowExecution`), expected);
  // A server of grpc-go takes this path as well; the gateway does not.
  assert.deepEqual(await ask(`${service}/StartWorkflowExecution`), expected);
  assert.equal((await ask(`/${service}/startWorkflowExecution`)).error, 'no such method');
});
