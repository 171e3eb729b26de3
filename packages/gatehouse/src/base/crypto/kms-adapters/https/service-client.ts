import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { checkServerIdentity } from '#base/wire/check-server-identity';
import { KmsUnavailableError } from '../../kms.ts';

export interface ServiceRequest {
  readonly method: 'GET' | 'POST';
  /** https, or http to this machine: {@link serviceAddress} has seen to that. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON, or as a form where it is `URLSearchParams`. */
  readonly body?: object;
}

export interface ServiceAnswer {
  readonly status: number;
  /** `undefined` where it is no JSON. Text in it is the service's own: it goes into no error as it is. */
  readonly json: unknown;
}

/**
 * Asks a KMS over HTTPS. Redirects are not followed: a token would go with them. Not `fetch`, which can be given
 * no CA.
 */
export interface ServiceClient {
  /** @throws KmsUnavailableError that names the reason by its code, never by what was sent. */
  call(request: ServiceRequest, signal: AbortSignal): Promise<ServiceAnswer>;
  close(): void;
}

/** Far above any answer about one key, and far below what would hurt. */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** A caller has his own bound of calls; this one keeps a burst from opening a socket each. */
const SOCKETS_MAX = 16;

/** @param ca PEM of the CAs that are trusted instead of the usual ones. There is no way to trust anything. */
export function createServiceClient(ca?: string): ServiceClient {
  const keep = { keepAlive: true, maxSockets: SOCKETS_MAX };
  const plain = new HttpAgent(keep);
  const secure = new HttpsAgent({
    ...keep,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    checkServerIdentity,
    ...(ca === undefined ? {} : { ca }),
  });
  return {
    async call({ method, url, headers, body }, signal) {
      const isForm = body instanceof URLSearchParams;
      const content = body === undefined ? '' : isForm ? body.toString() : JSON.stringify(body);
      const options = {
        method,
        signal,
        headers: {
          accept: 'application/json',
          'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
          'content-length': Buffer.byteLength(content),
          ...headers,
        },
      };
      const call = url.startsWith('https:')
        ? httpsRequest(url, { ...options, agent: secure })
        : httpRequest(url, { ...options, agent: plain });
      return await answerTo(call, content);
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

async function answerTo(call: ClientRequest, content: string): Promise<ServiceAnswer> {
  try {
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      call.on('response', resolve).on('error', reject);
      call.end(content);
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of reply) {
      length += chunk.length;
      if (length > ANSWER_BYTES_MAX) throw new KmsUnavailableError('the answer is too long');
      chunks.push(chunk);
    }
    return { status: reply.statusCode ?? 0, json: parseJson(Buffer.concat(chunks).toString('utf8')) };
  } catch (error) {
    call.destroy();
    if (error instanceof KmsUnavailableError) throw error;
    throw new KmsUnavailableError(codeOf(error));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Such as ECONNREFUSED or CERT_HAS_EXPIRED. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'the connection failed';
}
