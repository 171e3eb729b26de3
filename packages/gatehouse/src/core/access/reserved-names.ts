/**
 * Names that belong to the engine's own workers, which run inside the tenants' namespaces with system
 * rights (T-101, data-plane.md 2.4). Prefixes are compared as the engine does, byte for byte.
 */
const RESERVED_PREFIX = 'temporal-sys-';
const INTERNAL_QUEUE_PREFIXES = ['/_sys/', '/temporal-sys/'];
const WORKER_COMMANDS = '/temporal-sys/worker-commands/';
const SYSTEM_IDENTITY = 'temporal-system';

/** Search attributes beginning with `Temporal` that SDKs set themselves, or carry over when they continue as new. */
const openAttributes: ReadonlySet<string> = new Set([
  'TemporalChangeVersion',
  'TemporalScheduledStartTime',
  'TemporalScheduledById',
]);

export function isReservedWorkflowId(id: string): boolean {
  return id.startsWith(RESERVED_PREFIX);
}

export function isReservedWorkflowType(type: string): boolean {
  return type.startsWith(RESERVED_PREFIX);
}

/** Also partitions of other queues (`/_sys/`), and another namespace's worker commands. */
export function isReservedTaskQueue(queue: string, namespaceId: string): boolean {
  if (queue.startsWith(RESERVED_PREFIX)) return true;
  if (queue.startsWith(`${WORKER_COMMANDS}${namespaceId}/`)) return false;
  return INTERNAL_QUEUE_PREFIXES.some((prefix) => queue.startsWith(prefix));
}

export function isReservedIdentity(identity: string): boolean {
  return identity.startsWith(SYSTEM_IDENTITY);
}

export function isReservedSearchAttribute(name: string): boolean {
  if (name === 'BatcherNamespace' || name === 'BatcherUser') return true;
  return name.startsWith('Temporal') && !openAttributes.has(name);
}

/**
 * Can this visibility query find the engine's own workflows? The engine leaves them out unless a query names
 * their attribute, `TemporalNamespaceDivision`; it also takes the name without its prefix, and drops backticks
 * out of names. A text that merely quotes the name is taken for one that uses it.
 */
export function reachesReserved(query: string): boolean {
  return query.replaceAll('`', '').toLowerCase().includes('namespacedivision');
}
