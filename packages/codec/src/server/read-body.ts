import { CodecRequestError } from './codec-request-error.ts';

export interface BodyLimits {
  readonly bodyBytesMax: number;
  readonly bodyTimeoutMs: number;
}

const tooLarge = ({ bodyBytesMax }: BodyLimits) =>
  new CodecRequestError(413, `a body is at most ${bodyBytesMax} bytes`);

/**
 * Reads a whole body, within its limits.
 * @throws CodecRequestError 413 as soon as it is known to be too long, 408 when it does not come in time, 400 when it
 * breaks off
 */
export async function readBody(
  body: AsyncIterable<Uint8Array>,
  lengthHeader: string | undefined,
  limits: BodyLimits,
): Promise<Uint8Array> {
  if (Number(lengthHeader ?? 0) > limits.bodyBytesMax) throw tooLarge(limits);
  const late = new CodecRequestError(408, 'the body did not come in time');
  const chunks = body[Symbol.asyncIterator]();
  const read = async (): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let next = await chunk(chunks); next.done !== true; next = await chunk(chunks)) {
      length += next.value.length;
      if (length > limits.bodyBytesMax) throw tooLarge(limits);
      parts.push(next.value);
    }
    return Buffer.concat(parts);
  };
  // Not `return()`: that waits for the chunk that does not come. Whoever gave the body closes it.
  return await within(read(), limits.bodyTimeoutMs, late);
}

async function chunk(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  return await chunks.next().catch(() => {
    throw new CodecRequestError(400, 'the body broke off');
  });
}

/** Gives up on what takes too long. What it was doing goes on unheard. */
export async function within<T>(work: Promise<T>, timeoutMs: number, late: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
