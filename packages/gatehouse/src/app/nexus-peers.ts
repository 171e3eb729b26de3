import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { Directory, DirectoryWriter } from '#base/store/directory';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';

/**
 * Finds the namespaces that Nexus connects with one, or once did: those it may call, and those that may call it. By
 * the configuration and the directory alone; the engine's word does not count, since who can write its store could
 * connect anybody.
 */
export function nexusPeers(
  snapshot: () => DirectorySnapshot,
  endpoints: readonly NexusEndpoint[],
): (record: NamespaceRecord) => readonly NamespaceRecord[] {
  const known = new WeakMap<NamespaceRecord, Known>();
  const mayCall = callsBy(endpoints);
  const calls = (caller: NamespaceRecord, handler: NamespaceRecord): boolean =>
    mayCall(caller, handler) || caller.nexusPeers?.includes(handler.uuid) === true;
  return (record) => {
    const { namespaces } = snapshot();
    const held = known.get(record);
    if (held?.namespaces === namespaces) return held.peers;
    const peers = [...namespaces.values()].filter(
      (other) => other.uuid !== record.uuid && (calls(record, other) || calls(other, record)),
    );
    known.set(record, { namespaces, peers });
    return peers;
  };
}

/**
 * Writes down which namespaces Nexus connects now, since what stands in the histories of callers must stay readable
 * after that. Before and after the callers' lists change.
 * @throws Refusal `directory_unavailable`
 */
export async function rememberNexusPeers(
  directory: Pick<Directory, 'snapshot'> & { readonly write: Pick<DirectoryWriter, 'addNexusPeers'> },
  endpoints: readonly NexusEndpoint[],
): Promise<void> {
  if (endpoints.length === 0) return;
  const mayCall = callsBy(endpoints);
  const namespaces = [...directory.snapshot().namespaces.values()];
  for (const caller of namespaces) {
    if (caller.nexusEndpoints.length === 0) continue;
    const uuids = namespaces
      .filter((other) => other.uuid !== caller.uuid && mayCall(caller, other))
      .map(({ uuid }) => uuid)
      .filter((uuid) => caller.nexusPeers?.includes(uuid) !== true);
    if (uuids.length > 0) await directory.write.addNexusPeers(caller.id, uuids);
  }
}

interface Known {
  readonly namespaces: DirectorySnapshot['namespaces'];
  readonly peers: readonly NamespaceRecord[];
}

function callsBy(
  endpoints: readonly NexusEndpoint[],
): (caller: NamespaceRecord, handler: NamespaceRecord) => boolean {
  const targets = new Map(endpoints.map(({ name, namespace }) => [name, namespace]));
  return (caller, handler) => caller.nexusEndpoints.some((name) => targets.get(name) === handler.id);
}
