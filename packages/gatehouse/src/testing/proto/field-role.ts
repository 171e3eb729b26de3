import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { fieldRules, Role } from '#base/proto/field-roles';

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
]);

/**
 * The role of a field, worked out from the overlay alone: a second opinion on the generated tables, which the
 * scanner uses. A rule for a map is about its keys, or about its entries where `entryRoles` says so.
 */
export function roleOfField(direction: Direction, message: DescMessage, field: DescField): number {
  const short = message.typeName.startsWith(PREFIX)
    ? message.typeName.slice(PREFIX.length)
    : message.typeName;
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
