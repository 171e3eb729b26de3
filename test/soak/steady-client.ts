import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import {
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';

/** How much later than its deadline a call may end, on a machine that others use too. */
const MARGIN_MS = 3000;

export interface CallResult extends RawAnswer {
  readonly tookMs: number;
  /** It had not ended at its deadline and the margin; nobody waited on. */
  readonly hung: boolean;
}

/** A client as an application has one: it opens a connection anew when the old one is gone or told to go. */
export interface SteadyClient {
  call(method: string, fields: Record<string, unknown>, deadlineMs: number): Promise<CallResult>;
  /** From now on with the certificate that this endpoint file names. */
  use(endpoint: EndpointFile): void;
  /** Connections that were opened so far. */
  readonly opened: number;
  close(): void;
}

export function openSteadyClient(first: EndpointFile, namespace: string): SteadyClient {
  let endpoint = first;
  let current: RawClient | undefined;
  let opened = 0;
  const all = new Set<RawClient>();

  const open = (): RawClient => {
    opened += 1;
    const client = openRawClient({
      endpoint,
      certificateOf: namespace,
      serverName: `${namespace}.${endpoint.domain}`,
    });
    const leave = (): void => {
      if (current === client) current = undefined;
    };
    // What is under way on it may end; new calls go elsewhere.
    client.session.once('goaway', leave);
    client.session.once('close', () => {
      leave();
      all.delete(client);
    });
    all.add(client);
    return client;
  };
  return {
    get opened() {
      return opened;
    },
    async call(method, fields, deadlineMs) {
      current ??= open();
      const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
      const startedAt = performance.now();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), deadlineMs + MARGIN_MS);
      });
      const answering = current.call(WORKFLOW_SERVICE + method, request, { timeoutMs: deadlineMs });
      const answer = await Promise.race([answering, late]);
      clearTimeout(timer);
      const tookMs = performance.now() - startedAt;
      if (answer !== undefined) return { ...answer, tookMs, hung: false };
      return {
        status: -1,
        message: '',
        body: Buffer.alloc(0),
        headers: {},
        failure: 'hung',
        tookMs,
        hung: true,
      };
    },
    use(next) {
      endpoint = next;
      const old = current;
      current = undefined;
      old?.session.close();
    },
    close() {
      for (const client of all) client.close();
    },
  };
}
