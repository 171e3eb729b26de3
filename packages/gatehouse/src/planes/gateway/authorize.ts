import { Refusal, refuse } from '#base/model/refusals';
import { methodTables } from '#base/proto/wire-tables';
import { type AccessSettings, decide } from '#core/access/permit';
import type { IdentifiedCall, PermittedCall } from './identified-call.ts';

/** May this principal make this call? @throws Refusal. */
export function authorize(call: IdentifiedCall, settings: AccessSettings): PermittedCall {
  const permit = decide(call.principal, call.head.path, settings);
  if (permit instanceof Refusal) throw permit;
  const method = methodTables.get(call.head.path);
  if (method === undefined) throw refuse('method_unknown', { detail: 'no wire table' });
  return { ...call, permit, method };
}
