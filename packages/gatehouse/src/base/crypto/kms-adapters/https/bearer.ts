import type { ServiceAnswer, ServiceClient, ServiceRequest } from './service-client.ts';

/** Where access tokens come from; it keeps one until shortly before its end. */
export interface BearerSource {
  /** @throws KmsUnavailableError, KmsKeyDisabledError where the credentials are refused */
  load(signal: AbortSignal): Promise<string>;
  /** The token that was loaded is no longer taken: the next is a new one. */
  forget(): void;
}

/** Asks with a token; once more with a new one where the service knows it no longer, as after a revocation. */
export async function callWithBearer(
  client: ServiceClient,
  source: BearerSource,
  request: ServiceRequest,
  signal: AbortSignal,
): Promise<ServiceAnswer> {
  const ask = async (): Promise<ServiceAnswer> => {
    const authorization = `Bearer ${await source.load(signal)}`;
    return await client.call({ ...request, headers: { ...request.headers, authorization } }, signal);
  };
  const answer = await ask();
  if (answer.status !== 401) return answer;
  source.forget();
  return await ask();
}
