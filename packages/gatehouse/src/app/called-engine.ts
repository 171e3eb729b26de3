import type { EngineHandle } from '#core/engine/engine-handle';
import type { GatewayOptions } from '#planes/gateway/start-gateway';

/** As much of an engine as calls go through. */
export type CalledEngine = Pick<EngineHandle, 'address' | 'tls' | 'tokens' | 'state'>;

/** The engine as the gateway asks for it: read anew at each connection and call, since it changes. */
export function engineForGateway(engine: CalledEngine): GatewayOptions['engine'] {
  return {
    target: () => {
      const { serverName, ca, cert, key } = engine.tls;
      return { ...engine.address, serverName, tls: { ca, cert, key } };
    },
    mintToken: (namespaceId, role) => engine.tokens.mintToken(namespaceId, role),
    healthy: () => engine.state() === 'ready',
  };
}
