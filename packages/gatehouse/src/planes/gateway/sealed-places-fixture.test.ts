// No test itself: which places of the API are sealed and which are not, by the words of docs/encryption.md alone.
import { requestTables } from '#base/proto/wire-tables';
import { isPayload } from '#testing/proto/field-role';
import type { Leaf } from '#testing/proto/filled-messages';

/** Types that clients put inside an Any. */
export const anyTypes: readonly string[] = [...requestTables.any.keys()];

/** `message.field` without the common beginning. */
export function nameOf({ owner, field }: Leaf): string {
  return `${owner.typeName.replace('temporal.api.', '')}.${field.name}`;
}

/** Payloads that the engine itself reads, or makes: those, and no others, are not sealed. */
export const openPayloads: ReadonlySet<string> = new Set([
  'compute.v1.ComputeProvider.details',
  'compute.v1.ComputeScaler.details',
  'workflowservice.v1.CountWorkflowExecutionsResponse.AggregationGroup.group_values',
  'workflowservice.v1.CountSchedulesResponse.AggregationGroup.group_values',
]);

/** Words of a Worker that are no payloads; the last ones in Nexus' own, older form. */
const sealedTexts: ReadonlySet<string> = new Set([
  'failure.v1.Failure.message',
  'failure.v1.Failure.stack_trace',
  'workflowservice.v1.RespondQueryTaskCompletedRequest.error_message',
  'query.v1.WorkflowQueryResult.error_message',
  'nexus.v1.Failure.message',
  'nexus.v1.Failure.stack_trace',
  'nexus.v1.Failure.metadata',
  'nexus.v1.Failure.details',
]);

export function isSealed(leaf: Leaf): boolean {
  const name = nameOf(leaf);
  return isPayload(leaf.field) ? !openPayloads.has(name) : sealedTexts.has(name);
}

/**
 * The rows of the table "What stays readable", and the names of the texts that each speaks of: of the field, or
 * with its message. Every text of a request that is not sealed must be in exactly one.
 */
export const readableRows: Readonly<Record<string, RegExp>> = {
  'ids, names and types':
    /\.(\w+_)?(id|ids|name|task_queue|task_queues|build_id|build_ids|version|token|checksum|key|control)$|\.(signal|query_type|paths|remove_entries|promote_set_by_build_id|unset_fairness_weight_overrides|slot_supplier_kind|add_new_build_id_in_new_default_set|promote_build_id_within_set|namespace)$|^(?!failure|nexus).*\.type$/,
  "a failure's kind": /^failure\..*\.(source|type)$|\.non_retryable_error_types$/,
  'reasons and notes': /\.(reason|notes|comment|pause|unpause)$/,
  'cron expressions': /\.cron_(schedule|string)$|^schedule\.v1\.CalendarSpec\.(?!comment)|\.timezone_data$/,
  identities: /\.(\w+_)?identity$/,
  'Nexus routes':
    /^nexus\..*\.(type|url|error_type|operation_state)$|\.(endpoint|service|operation|nexus_header)$/,
  filters: /\.(visibility_)?query$/,
};
