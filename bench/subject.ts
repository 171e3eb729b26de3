import type { BenchCertificates } from './certificates.ts';
import { ENGINE_NAME, NAMESPACE, NAMESPACE_HOST } from './certificates.ts';
import type { Target } from './load-protocol.ts';

/** What every subject is built from: where the engine is, the certificates, a folder of its own. */
export interface SubjectGround {
  readonly enginePort: number;
  readonly certificates: BenchCertificates;
  /** Private and empty; removed at the end of the run. */
  readonly folder: string;
  /** Where the engine of this run reads the keys of a gateway's tokens. */
  readonly jwksPort: number;
}

/** One way to the engine, started and ready for calls. */
export interface Subject {
  readonly target: Target;
  /** Root of the process tree whose CPU and memory count; absent where there is no proxy. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Starts a fresh instance; may be called more than once in a run. */
export type StartSubject = (ground: SubjectGround) => Promise<Subject>;

/** No proxy: what remains is the cost of the engine and of the load itself. */
export async function startDirect(ground: SubjectGround): Promise<Subject> {
  const target = {
    name: 'direct',
    port: ground.enginePort,
    serverName: ENGINE_NAME,
    caFile: ground.certificates.platformCaFile,
    ...ground.certificates.toEngine,
    namespace: NAMESPACE,
  };
  return { target, pid: undefined, stop: async () => undefined };
}

/** How the load reaches any of the proxies: as a client of the namespace, by the namespace's own host. */
export function proxyTarget(name: string, port: number, certificates: BenchCertificates): Target {
  return {
    name,
    port,
    serverName: NAMESPACE_HOST,
    caFile: certificates.platformCaFile,
    ...certificates.client,
    namespace: NAMESPACE,
  };
}
