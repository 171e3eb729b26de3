/** Bundles the workflows once, so that a run does not spend its seconds on it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

export const bundleFile = fileURLToPath(new URL('../build/workflow-bundle.js', import.meta.url));

if (import.meta.main) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  });
  await mkdir(new URL('../build/', import.meta.url), { recursive: true });
  await writeFile(bundleFile, code);
}
