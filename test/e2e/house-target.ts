import type { House } from '../../packages/gatehouse/src/testing/house.ts';
import type { WorkerTarget } from '../parts/worker-process.ts';

/** The connection of a private endpoint: the address of one host, the TLS server name of another, a certificate. */
export type HouseTarget = WorkerTarget & Required<Pick<WorkerTarget, 'tls'>>;

/** All that a client of this namespace is told. Throws where the house has no such namespace. */
export function houseTarget(house: House, namespace = 'default.local'): HouseTarget {
  const found = house.endpoint.namespaces.find(({ id }) => id === namespace);
  if (found === undefined) throw new Error(`no namespace ${namespace} in this house`);
  return {
    address: house.endpoint.grpc,
    namespace,
    tls: {
      serverName: found.host,
      caFile: house.endpoint.serverCa,
      certificateFile: found.clientCert,
      keyFile: found.clientKey,
    },
  };
}
