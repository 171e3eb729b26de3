import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';

/** Finds the namespaces that Nexus connects with one: those it may call, and those that may call it. */
export function nexusPeers(
  snapshot: () => DirectorySnapshot,
  endpoints: readonly NexusEndpoint[],
): (record: NamespaceRecord) => readonly NamespaceRecord[] {
  const targets = new Map(endpoints.map(({ name, namespace }) => [name, namespace]));
  const known = new WeakMap<NamespaceRecord, { snapshot: DirectorySnapshot; peers: NamespaceRecord[] }>();
  const calls = (caller: NamespaceRecord, handler: NamespaceRecord): boolean =>
    caller.nexusEndpoints.some((name) => targets.get(name) === handler.id);
  return (record) => {
    if (targets.size === 0) return [];
    const now = snapshot();
    const held = known.get(record);
    if (held?.snapshot === now) return held.peers;
    const peers = [...now.namespaces.values()].filter(
      (other) => other.id !== record.id && (calls(record, other) || calls(other, record)),
    );
    known.set(record, { snapshot: now, peers });
    return peers;
  };
}
