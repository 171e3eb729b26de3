import { Refusal, refuse } from '#base/model/refusals';
import { type MethodTable, methodTables } from '#base/proto/wire-tables';
import { type AccessSettings, decide, type Permit } from '#core/access/permit';
import type { IdentifiedCall, PermittedCall } from './identified-call.ts';

/** May this principal make this call? @throws Refusal. */
export function authorize(call: IdentifiedCall, settings: AccessSettings): PermittedCall {
  const permit = decide(call.principal, call.head.path, settings);
  if (permit instanceof Refusal) throw permit;
  const method = methodTables.get(call.head.path) ?? ownMethod(permit);
  if (method === undefined) throw refuse('method_unknown', { detail: 'no wire table' });
  return { ...call, permit, method };
}

const EMPTY = { name: '', codes: new Int32Array(1), children: [], interesting: false };

/** Reflection is the gateway's own: nothing of it is scanned or relayed, so its tables know no field. */
function ownMethod(permit: Permit): MethodTable | undefined {
  if (permit.served !== 'gateway') return undefined;
  const [, service = '', name = ''] = permit.path.split('/');
  return { service, name, path: permit.path, request: EMPTY, response: EMPTY };
}
