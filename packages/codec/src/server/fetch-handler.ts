import type { Answering } from './answering.ts';

/** For servers that take a `Request` and give a `Response`. */
export function fetchHandler(answering: Answering): (request: Request) => Promise<Response> {
  return async (request) => {
    const { status, headers, body } = await answering({
      method: request.method,
      path: new URL(request.url).pathname,
      header: (name) => request.headers.get(name) ?? undefined,
      body: chunksOf(request),
    });
    return new Response(status === 204 ? null : body, { status, headers });
  };
}

async function* chunksOf(request: Request): AsyncGenerator<Uint8Array> {
  if (request.body === null) return;
  for await (const chunk of request.body) yield chunk;
}
