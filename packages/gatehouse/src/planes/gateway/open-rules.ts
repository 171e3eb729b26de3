import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { OpenRules } from '#core/sealing/open-message';
import type { Sealing } from '#core/sealing/sealing';
import type { PermittedCall } from './identified-call.ts';
import type { OutgoingRequest } from './transform-request.ts';

/** How the reply to this call is opened. */
export function openRulesOf(
  { namespace }: PermittedCall,
  request: OutgoingRequest,
  keyring: NamespaceKeyring | undefined,
  sealing: Sealing,
): OpenRules {
  return {
    strict: namespace.sealing === 'on' && !request.aboutReserved,
    keyring,
    sealedAttributes: namespace.sealedAttributes,
    peer: (keyId) => sealing.peer(namespace, keyId),
    plainNexus: () => sealing.hasPlainPeer?.(namespace) === true,
  };
}
