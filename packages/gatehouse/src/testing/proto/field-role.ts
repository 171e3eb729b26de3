import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { fieldRules } from '#base/proto/field-roles';
import { payloadRoleOf } from '#base/proto/payload-roles';
import { Role } from '#base/proto/role';

export type Direction = 'request' | 'response';

const PREFIX = 'temporal.api.';

/** Roles that a whole message can have. Any other role on a message is that of the texts inside, by their own rules. */
export const messageRoles: ReadonlySet<number> = new Set([
  Role.callback,
  Role.forbidden,
  Role.executionMessage,
  Role.workflowTypeMessage,
  Role.taskQueueMessage,
  Role.callbackHeader,
  Role.masked,
  Role.payload,
  Role.memoPayload,
  Role.headerPayload,
  Role.attributePayload,
  Role.failureAttributes,
  Role.nexusPlace,
  Role.shownWorkflowType,
  Role.nexusOperationError,
  Role.nexusHandlerError,
]);

const PAYLOAD = 'temporal.api.common.v1.Payload';

/** Is it of type Payload, as itself, in a list or as the values of a map? */
export function isPayload(field: DescField): boolean {
  return field.message?.typeName === PAYLOAD;
}

/** The role of a map's values. */
export function roleOfValues(message: DescMessage, field: DescField): number {
  return isPayload(field) ? Role[payloadRoleOf(shortName(message), field.name)] : Role.none;
}

function shortName(message: DescMessage): string {
  return message.typeName.startsWith(PREFIX) ? message.typeName.slice(PREFIX.length) : message.typeName;
}

/**
 * The role of a field, worked out from the overlay alone: a second opinion on the generated tables, which the
 * scanner uses. A rule for a map is about its keys, or about its entries where `entryRoles` says so.
 */
export function roleOfField(direction: Direction, message: DescMessage, field: DescField): number {
  const short = shortName(message);
  if (isPayload(field) && field.fieldKind !== 'map') return Role[payloadRoleOf(short, field.name)];
  const last = fieldRules.findLast(
    (rule) =>
      (rule.direction === 'both' || rule.direction === direction) &&
      (rule.message === '*' || rule.message === short) &&
      rule.field === field.name,
  );
  if (last === undefined) return Role.none;
  const role = Role[last.role];
  const isMessage = field.fieldKind !== 'map' && field.message !== undefined;
  // "task_queue" and "query" are a text in some messages and a message in others.
  return isMessage && !messageRoles.has(role) ? Role.none : role;
}
