import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndpointFile } from '#app/endpoint-file';
import { type Up, type UpOptions, up } from '#app/up';
import { createLog } from '#base/runtime/log';
import { type RecordedEvent, readAuditEvents } from './audit-events.ts';

/** A whole platform on free ports in a folder of its own, built from the production parts. */
export interface House {
  readonly home: string;
  readonly endpoint: EndpointFile;
  readonly up: Up;
  /** Lines of the operator's log so far. */
  readonly logLines: readonly string[];
  /** Everything that was recorded so far, oldest first, with sealed fields opened. */
  events(): Promise<readonly RecordedEvent[]>;
  close(): Promise<void>;
}

export type { RecordedEvent };

export async function startHouse(options: Partial<UpOptions> = {}): Promise<House> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'gatehouse-test-')));
  const logLines: string[] = [];
  const started = await up({
    home,
    port: 0,
    namespaces: [],
    log: createLog({ level: 'debug', write: (line) => logLines.push(line) }),
    path: process.env['PATH'] ?? '',
    step: (_title, work) => work(() => undefined),
    ...options,
  });
  return {
    home,
    endpoint: started.endpoint,
    up: started,
    logLines,
    async events() {
      await started.platform.audit.flush();
      return await readAuditEvents(home);
    },
    async close() {
      await started.stop(200);
      if (options.home === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}
