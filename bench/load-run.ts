import type { ClientHttp2Session } from 'node:http2';
import type { LoadResult } from './load-protocol.ts';
import type { PreparedCall } from './requests.ts';
import { percentile } from './statistics.ts';
import { watchFailure } from './unary.ts';

/**
 * Makes `calls` calls, `concurrency` at a time, dealt in turn over the sessions. Latency is from the request
 * until the stream is over, trailers included.
 * @throws Error when any call has another status than OK: a refusal is cheap and would flatter the figures.
 */
export function runCalls(
  sessions: readonly ClientHttp2Session[],
  call: PreparedCall,
  concurrency: number,
  calls: number,
): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const latenciesMs = new Float64Array(calls);
    let started = 0;
    let finished = 0;
    const begin = performance.now();

    const startNext = (): void => {
      const number = started++;
      const session = sessions[number % sessions.length];
      if (session === undefined) throw new Error('no open connection');
      const sentAt = performance.now();
      startCall(session, call, (failure) => {
        if (failure !== undefined) return reject(new Error(failure));
        latenciesMs[number] = performance.now() - sentAt;
        finished += 1;
        if (finished === calls) resolve(summarize(latenciesMs, performance.now() - begin));
        else if (started < calls) startNext();
      });
    };
    for (let slot = 0; slot < Math.min(concurrency, calls); slot++) startNext();
  });
}

function startCall(
  session: ClientHttp2Session,
  call: PreparedCall,
  done: (failure: string | undefined) => void,
): void {
  const stream = session.request(call.headers);
  const failure = watchFailure(stream);
  stream.on('close', () => done(failure()));
  stream.resume();
  stream.end(call.body);
}

/** @param tookMs wall time of all calls together. */
export function summarize(latenciesMs: Float64Array, tookMs: number): LoadResult {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  return {
    calls: sorted.length,
    seconds: tookMs / 1_000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  };
}
