import assert from 'node:assert/strict';
import type { House } from '../../../packages/gatehouse/src/testing/house.ts';
import { prepareWorker, type WorkerLanguage } from '../../parts/sdk-workers.ts';
import { type ReportLine, startWorkerProcess } from '../../parts/worker-process.ts';
import { houseTarget } from '../house-target.ts';
import { refusedCalls } from '../refused-calls.ts';
import { addSearchAttributes, INT, KEYWORD, KEYWORD_LIST } from '../search-attributes.ts';
import { openEngineReader, openTenantReader, type Reader } from './engine-reader.ts';
import { type RecordedRun, readWorkflows } from './read-workflows.ts';

/** What one program did in one namespace, as it told it and as it was recorded. */
export interface SdkRun {
  readonly lines: readonly ReportLine[];
  /** Begins every workflow id. */
  readonly prefix: string;
  /** Through the gateway. */
  readonly seen: readonly RecordedRun[];
  /** In the engine itself. */
  readonly held: readonly RecordedRun[];
}

/** The search attributes that the programs' further features need. */
export async function prepareNamespace(house: House, namespace: string): Promise<void> {
  const attributes = { Customer: KEYWORD, Labels: KEYWORD_LIST, Amount: INT };
  await addSearchAttributes(house, namespace, attributes);
}

/** Runs all features of a program and reads what is left of it. The program's own checks and the gateway must be content. */
export async function runSdk(
  house: House,
  language: WorkerLanguage,
  { namespace = 'default.local', codec = '' } = {},
): Promise<SdkRun> {
  const from = (await house.events()).length;
  const worker = await prepareWorker(language);
  const env = { ...worker.env, FEATURES: 'all', CODEC: codec };
  const target = houseTarget(house, namespace);
  const outcome = await startWorkerProcess({ ...worker, env }, target, { mode: 'features' }).ended;
  const failed = outcome.lines.filter((it) => it['ok'] !== true);
  assert.deepEqual(failed, [], outcome.log);
  assert.deepEqual(await refusedCalls(house, from), []);
  const tenant = openTenantReader(house, namespace);
  try {
    const prefix = await prefixOf(tenant, language);
    const seen = await readWorkflows(tenant, prefix);
    const held = await readWorkflows(openEngineReader(house, namespace), prefix);
    return { lines: outcome.lines, prefix, seen, held };
  } finally {
    tenant.close();
  }
}

/** Ids are language, a random word, and what follows. */
async function prefixOf(reader: Reader, language: string): Promise<string> {
  const { executions } = await reader.ask('ListWorkflowExecutions', { pageSize: 1000 });
  const prefixes = new Set(
    executions.flatMap(({ execution }: { execution: { workflowId: string } }) => {
      const [own, word] = execution.workflowId.split('-');
      return own === language ? [`${own}-${word}`] : [];
    }),
  );
  const [prefix, ...more] = [...prefixes] as string[];
  assert.ok(prefix !== undefined && more.length === 0, `one run of ${language} in this namespace`);
  return prefix;
}
