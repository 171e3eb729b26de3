import type { AuthorizationRequest, CodecOperation } from './authorize.ts';

/**
 * What a role may ask for. To encode is to make what a strict Worker trusts, so it takes the right to write; a
 * `worker` of the Temporal Server's authorizer has keys of its own.
 */
const ROLES: Readonly<Record<CodecOperation, readonly string[]>> = {
  decode: ['read', 'write', 'admin'],
  encode: ['write', 'admin'],
};

/** Whether a claim, a list of `<namespace>:<role>`, permits this. What is no such list permits nothing. */
export function permits(claim: unknown, { namespace, operation }: AuthorizationRequest): boolean {
  if (!Array.isArray(claim) || namespace === undefined || namespace === '') return false;
  return claim.some((entry: unknown) => {
    if (typeof entry !== 'string') return false;
    const colon = entry.lastIndexOf(':');
    return (
      entry.slice(0, colon) === namespace && ROLES[operation].includes(entry.slice(colon + 1).toLowerCase())
    );
  });
}
