/**
 * By hand: runs the features of the SDKs against a bare server, or through the gateway of a home.
 *   node test/parts/try-workers.ts [--home DIR] [LANGUAGE]...
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBareServer } from './bare-server.ts';
import { prepareWorker, type WorkerLanguage, workerLanguages } from './sdk-workers.ts';
import { startWorkerProcess, type WorkerTarget } from './worker-process.ts';

const { values, positionals } = parseArgs({
  options: { home: { type: 'string' } },
  allowPositionals: true,
});
const say = (line: string) => process.stderr.write(`${line}\n`);
const languages = workerLanguages.filter((it) => positionals.length === 0 || positionals.includes(it));
const server = values.home ? undefined : await startBareServer(['default.local'], { progress: say });
const target: WorkerTarget = server
  ? { address: server.address, namespace: 'default.local' }
  : homeTarget(values.home ?? '');
try {
  for (const language of languages) if (!(await tryOne(language))) process.exitCode = 1;
} finally {
  await server?.close();
}

async function tryOne(language: WorkerLanguage): Promise<boolean> {
  const worker = await prepareWorker(language, { progress: say });
  const started = performance.now();
  const outcome = await startWorkerProcess(worker, target, { mode: 'features' }).ended;
  const features = outcome.lines.filter((it) => 'feature' in it);
  const failed = outcome.lines.filter((it) => it['ok'] === false || 'unparsed' in it || 'worker' in it);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`${language}: ${features.filter((it) => it['ok']).length} of ${features.length} in ${seconds} s`);
  for (const line of failed) process.stdout.write(`${JSON.stringify({ language, ...line })}\n`);
  if (!outcome.ok) say(`exit ${outcome.exitCode}\n${outcome.log}`);
  return outcome.ok;
}

/** The first namespace of a home, as `up` describes it in endpoint.json. */
function homeTarget(home: string): WorkerTarget {
  const endpoint = JSON.parse(readFileSync(join(home, 'endpoint.json'), 'utf8'));
  const [namespace] = endpoint.namespaces;
  return {
    address: endpoint.grpc,
    namespace: namespace.id,
    tls: {
      serverName: namespace.host,
      caFile: endpoint.serverCa,
      certificateFile: namespace.clientCert,
      keyFile: namespace.clientKey,
    },
  };
}
