import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CodecLimits, createAnswering, type RequestReport } from './answering.ts';
import type { ServedCodec } from './apply-codec.ts';
import type { Authorize } from './authorize.ts';
import { createCors } from './cors.ts';
import { fetchHandler } from './fetch-handler.ts';
import { nodeHandler } from './node-handler.ts';

export interface CodecServerOptions {
  /** The codec of a namespace (header `X-Namespace`, undefined without one); undefined: none is served here, 404. */
  readonly codec: (
    namespace: string | undefined,
  ) => ServedCodec | undefined | Promise<ServedCodec | undefined>;
  /** Exact origins of the pages that may ask, such as `https://ui.example.com`; none by default. */
  readonly allowedOrigins?: readonly string[];
  /** Let browsers send cookies. Only of use with an `authorize` of yours that reads them. */
  readonly allowCredentials?: boolean;
  /** Who may encode and decode: `authorizeToken`, or a function of yours. */
  readonly authorize?: Authorize;
  /** Decode for everybody who reaches this server. Only for your own machine. */
  readonly allowAnonymous?: boolean;
  /** Answer `/encode` too, which the CLI and the Web UI need to start and signal Workflows; true by default. */
  readonly encode?: boolean;
  readonly limits?: Partial<CodecLimits>;
  /** Told of every request when it is answered, for your log: never payloads, tokens or keys. */
  readonly onRequest?: (report: RequestReport) => void;
}

export interface CodecServer {
  /** For `node:http`, `node:https`, Express and the like. Answers every request; never throws. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => void;
  /** For servers in the style of the web's `fetch`. Never rejects. */
  readonly fetch: (request: Request) => Promise<Response>;
}

/**
 * The remote codec protocol of Temporal's CLI, Web UI and SDKs, for your own server: `POST …/encode` and `…/decode`
 * with Payloads in JSON. Holds the only keys, so it decides who may read.
 * @throws TypeError where nobody is said who may decode, or an origin is none.
 */
export function createCodecServer(options: CodecServerOptions): CodecServer {
  const { codec, authorize, allowAnonymous = false, allowedOrigins = [], onRequest } = options;
  if (authorize === undefined && !allowAnonymous)
    throw new TypeError('say who may decode: authorize, or allowAnonymous on your own machine');
  const cors = createCors({ allowedOrigins, allowCredentials: options.allowCredentials === true });
  const answer = createAnswering({
    codec,
    cors,
    authorize: authorize ?? (async () => ({ outcome: 'permitted' })),
    mayEncode: options.encode !== false,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    ...(onRequest === undefined ? {} : { onRequest }),
  });
  return { handle: nodeHandler(answer), fetch: fetchHandler(answer) };
}

/** A page of the Web UI asks for some hundred payloads of at most 2 MiB, mostly far smaller. */
const DEFAULT_LIMITS: CodecLimits = {
  bodyBytesMax: 10 * 1024 * 1024,
  bodyTimeoutMs: 10_000,
  codecTimeoutMs: 30_000,
  requestsAtOnceMax: 32,
};
