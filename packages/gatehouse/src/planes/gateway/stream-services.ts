import type { StreamService } from './grpc-door.ts';
import { answerHealth } from './health.ts';
import { serveReflection } from './reflection.ts';

export interface StreamServiceSettings {
  readonly healthy: () => boolean;
  readonly nexusEnabled: boolean;
}

export interface OwnService {
  /** Answered to any connection, before anybody asks who is calling. */
  readonly open: boolean;
  readonly serve: StreamService;
}

/** The gateway's own gRPC services, by path. */
export function streamServices(settings: StreamServiceSettings): ReadonlyMap<string, OwnService> {
  const health: OwnService = { open: true, serve: answerHealth(settings.healthy) };
  const reflection: OwnService = { open: false, serve: serveReflection(settings) };
  return new Map([
    ['/grpc.health.v1.Health/Check', health],
    ['/grpc.health.v1.Health/Watch', health],
    ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', reflection],
    ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', reflection],
  ]);
}
