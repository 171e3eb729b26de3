import { namespaceHost } from '#base/model/namespace-id';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { type Home, namespaceFiles } from './home.ts';

/** What scripts read to find a running platform. Fixed by the plan of record, section 5. */
export interface EndpointFile {
  readonly account: string;
  readonly domain: string;
  readonly region: string;
  readonly serverCa: string;
  readonly grpc: string;
  readonly https: string | null;
  readonly control: string | null;
  readonly console: string | null;
  readonly metrics: string | null;
  readonly namespaces: readonly EndpointNamespace[];
  readonly apiKeyFile: string | null;
}

export interface EndpointNamespace {
  readonly id: string;
  readonly host: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

export interface EndpointFacts {
  readonly home: Home;
  readonly account: string;
  readonly domain: string;
  readonly region: string;
  readonly grpc: string;
  readonly https: string | null;
  readonly namespaceIds: readonly string[];
}

/** Parts that later releases bring are null. */
export function describeEndpoint(facts: EndpointFacts): EndpointFile {
  return {
    account: facts.account,
    domain: facts.domain,
    region: facts.region,
    serverCa: facts.home.serverCaFile,
    grpc: facts.grpc,
    https: facts.https,
    control: null,
    console: null,
    metrics: null,
    namespaces: facts.namespaceIds.map((id) => {
      const { clientCert, clientKey } = namespaceFiles(facts.home, id);
      return { id, host: namespaceHost(id, facts.domain), clientCert, clientKey };
    }),
    apiKeyFile: null,
  };
}

export async function writeEndpointFile(home: Home, endpoint: EndpointFile): Promise<void> {
  await writeFileAtomic(home.endpointFile, `${JSON.stringify(endpoint, null, 2)}\n`, 0o644);
}
