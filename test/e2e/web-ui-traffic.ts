import type { Page, Request } from 'playwright-core';

/** What passes between a page and one origin from now on. */
export interface Traffic {
  /** Addresses, headers and bodies of all calls of the API, both ways. */
  bytes(): Promise<Buffer>;
}

/** Everything that the Web UI's server gets from this page, and all that its API answers. */
export function listenTo(page: Page, origin: string): Traffic {
  const parts: Promise<string | Buffer>[] = [];
  const isOurs = (request: Request): boolean => request.url().startsWith(`${origin}/api/`);
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) return;
    parts.push(Promise.resolve(`${request.url()} ${JSON.stringify(request.headers())}`));
    parts.push(Promise.resolve(request.postDataBuffer() ?? ''));
  });
  page.on('response', (response) => {
    // An answer that the page no longer wants has no body.
    if (isOurs(response.request())) parts.push(response.body().catch(() => ''));
  });
  return {
    async bytes() {
      return Buffer.concat((await Promise.all(parts)).map((part) => Buffer.from(part)));
    },
  };
}
