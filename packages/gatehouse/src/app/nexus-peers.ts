import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';

/** Uuids of the namespaces that were connected with one of this uuid at some time. */
export type FormerPeers = (uuid: string) => readonly string[];

/**
 * Finds the namespaces that Nexus connects with one: those it may call, and those that may call it, by the
 * configuration alone. The engine's word does not count: who can write its store could connect anybody.
 * @param former what stands in histories from then must stay readable.
 */
export function nexusPeers(
  snapshot: () => DirectorySnapshot,
  endpoints: readonly NexusEndpoint[],
  former: FormerPeers = () => NOBODY,
): (record: NamespaceRecord) => readonly NamespaceRecord[] {
  const known = new WeakMap<NamespaceRecord, Known>();
  const connected = connections(endpoints);
  return (record) => {
    const { namespaces } = snapshot();
    const uuids = former(record.uuid);
    if (endpoints.length === 0 && uuids.length === 0) return NOBODY;
    const held = known.get(record);
    if (held?.namespaces === namespaces && held.former === uuids) return held.peers;
    const peers = [...namespaces.values()].filter(
      (other) => other.uuid !== record.uuid && (uuids.includes(other.uuid) || connected(record, other)),
    );
    known.set(record, { namespaces, former: uuids, peers });
    return peers;
  };
}

const NOBODY: readonly never[] = Object.freeze([]);

interface Known {
  readonly namespaces: DirectorySnapshot['namespaces'];
  readonly former: readonly string[];
  readonly peers: readonly NamespaceRecord[];
}

function connections(
  endpoints: readonly NexusEndpoint[],
): (one: NamespaceRecord, other: NamespaceRecord) => boolean {
  const targets = new Map(endpoints.map(({ name, namespace }) => [name, namespace]));
  const calls = (caller: NamespaceRecord, handler: NamespaceRecord): boolean =>
    caller.nexusEndpoints.some((name) => targets.get(name) === handler.id);
  return (one, other) => calls(one, other) || calls(other, one);
}
