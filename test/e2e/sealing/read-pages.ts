import type { Reply } from './engine-reader.ts';

type Fields = Readonly<Record<string, unknown>>;
/** A call of WorkflowService that must succeed, at the gateway or at the engine. */
export type Ask = (method: string, fields: Fields) => Promise<Reply>;

/** Every page of an answer that comes in pages, by the token that each gives for the next. */
export async function readPages(ask: Ask, method: string, fields: Fields): Promise<Reply[]> {
  const pages: Reply[] = [];
  let nextPageToken = new Uint8Array(0);
  do {
    const page = await ask(method, { ...fields, nextPageToken });
    pages.push(page);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return pages;
}
