import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { EndpointFile } from './endpoint-file.ts';

const QUICKSTART = join(import.meta.dirname, '..', '..', 'quickstart', 'run.mjs');
const LIMIT_MS = 120_000;

/**
 * Runs one real Worker and one Workflow in a process of their own, with nothing but the address and the
 * client certificate, as any customer's Worker would be.
 * @param signal ends it. @returns the proof that it prints. @throws Error with what it said when it fails.
 */
export function runQuickstart(endpoint: EndpointFile, signal?: AbortSignal): Promise<unknown> {
  const [namespace] = endpoint.namespaces;
  if (namespace === undefined) return Promise.reject(new Error('there is no namespace to run in'));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [QUICKSTART], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      ...(signal === undefined ? {} : { signal }),
      env: {
        TEMPORAL_ADDRESS: endpoint.grpc,
        TEMPORAL_NAMESPACE: namespace.id,
        TEMPORAL_TLS_SERVER_NAME: namespace.host,
        TEMPORAL_TLS_CA: endpoint.serverCa,
        TEMPORAL_TLS_CERT: namespace.clientCert,
        TEMPORAL_TLS_KEY: namespace.clientKey,
      },
    });
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString('utf8')).slice(-4000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`the quickstart failed (exit ${code}):\n${errors}`));
      return resolve(JSON.parse(out.trim().split('\n').at(-1) ?? '{}'));
    });
  });
}
