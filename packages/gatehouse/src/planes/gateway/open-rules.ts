import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { OpenRules } from '#core/sealing/open-message';
import type { Sealing } from '#core/sealing/sealing';
import type { PermittedCall } from './identified-call.ts';
import type { OutgoingRequest } from './transform-request.ts';

/** Lists show the engine's own workflows too, with memos that it wrote itself. */
const LIST = /\/(?:List|Scan)\w+$/;

/** How the reply to this call is opened. */
export function openRulesOf(
  { namespace, method }: PermittedCall,
  request: OutgoingRequest,
  keyring: NamespaceKeyring | undefined,
  sealing: Sealing,
): OpenRules {
  return {
    strict: namespace.sealing === 'on' && !request.aboutReserved,
    plainMemos: LIST.test(method.path),
    keyring,
    peer: (keyId) => sealing.peer(namespace, keyId),
  };
}
