import type { CrossFault } from './cross-fault.ts';
import { encryptionChecks } from './encryption-checks.ts';
import { valueAt } from './value-at.ts';

/**
 * What the schema cannot say. Takes the configuration as it was written, references to secrets resolved: its
 * form may be wrong, and then the schema says so, but what can be told is told in the same answer.
 */
export function crossChecks(config: unknown): readonly CrossFault[] {
  return [
    ...externalEngine(config),
    ...credentialsInClear(config),
    ...databasesApart(config),
    ...listenersApart(config),
    ...encryptionChecks(config),
    ...namespaces(config),
  ];
}

const WITH_ADDRESS = ['caFile', 'certificateFile', 'keyFile', 'jwks'];
const WITHOUT_ADDRESS = ['binary', 'storage', 'historyShards'];

function externalEngine(config: unknown): CrossFault[] {
  const isExternal = valueAt(config, 'engine.address') !== undefined;
  const faults: CrossFault[] = [];
  for (const name of WITH_ADDRESS) {
    const key = `engine.${name}`;
    const isSet = valueAt(config, key) !== undefined;
    if (isExternal && !isSet)
      faults.push({ key, problem: 'is missing: it is needed where engine.address is set' });
    if (!isExternal && isSet)
      faults.push({ key, problem: 'is for an engine at engine.address: set that, or remove this' });
  }
  for (const name of WITHOUT_ADDRESS) {
    const key = `engine.${name}`;
    if (!isExternal || valueAt(config, key) === undefined) continue;
    faults.push({ key, problem: 'is for an engine that is run here: remove it, or remove engine.address' });
  }
  return faults;
}

/** A password must not cross a network in clear. */
function credentialsInClear(config: unknown): CrossFault[] {
  return ['directory', 'engine.storage'].flatMap((key) => {
    const host = valueAt(config, `${key}.host`);
    if (typeof host !== 'string' || isLocal(host) || valueAt(config, `${key}.tls`) !== undefined) return [];
    return [
      {
        key: `${key}.tls`,
        problem: 'is missing: a database on another machine needs it; set at least tls.caFile',
      },
    ];
  });
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host === '::1' || host.startsWith('/');
}

/** Three schemas, three databases: each owner upgrades its own. */
function databasesApart(config: unknown): CrossFault[] {
  const [directory, storage] = ['directory', 'engine.storage'].map((key) => ({
    kind: valueAt(config, `${key}.kind`),
    server: `${String(valueAt(config, `${key}.host`))}:${String(valueAt(config, `${key}.port`) ?? 5432)}`,
  }));
  if (storage?.kind !== 'postgres') return [];
  const main = valueAt(config, 'engine.storage.database') ?? 'temporal';
  const visibility = valueAt(config, 'engine.storage.visibilityDatabase') ?? 'temporal_visibility';
  const faults: CrossFault[] = [];
  if (main === visibility) {
    faults.push({
      key: 'engine.storage.visibilityDatabase',
      problem: 'must not be the database of engine.storage.database: give it one of its own',
    });
  }
  const own = valueAt(config, 'directory.database') ?? 'gatehouse';
  if (
    directory?.kind === 'postgres' &&
    directory.server === storage.server &&
    (own === main || own === visibility)
  ) {
    faults.push({
      key: 'directory.database',
      problem: "must not be a database of the engine's: give it one of its own",
    });
  }
  return faults;
}

function listenersApart(config: unknown): CrossFault[] {
  const grpc = valueAt(config, 'gateway.grpc.address');
  if (typeof grpc !== 'string' || grpc.endsWith(':0') || grpc !== valueAt(config, 'gateway.https.address'))
    return [];
  return [{ key: 'gateway.https.address', problem: 'must not be that of gateway.grpc: choose another port' }];
}

function namespaces(config: unknown): CrossFault[] {
  const list = valueAt(config, 'namespaces');
  if (!Array.isArray(list)) return [];
  const ids = list.map((namespace: unknown) => valueAt(namespace, 'id'));
  const gatewayAllows = valueAt(config, 'gateway.allowTls12') === true;
  return list.flatMap((namespace: unknown, index) => {
    const faults: CrossFault[] = [];
    const first = ids.indexOf(ids[index]);
    if (ids[index] !== undefined && first < index) {
      faults.push({
        key: `namespaces.${index}.id`,
        problem: `is that of namespaces.${first} too: remove one of them`,
      });
    }
    if (valueAt(namespace, 'allowTls12') === true && !gatewayAllows) {
      faults.push({
        key: `namespaces.${index}.allowTls12`,
        problem: 'has no effect where gateway.allowTls12 is not true: set that, or remove this',
      });
    }
    return faults;
  });
}
