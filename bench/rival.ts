import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_NAME } from './certificates.ts';
import { findFreePort, startChild } from './child.ts';
import { proxyTarget, type StartSubject } from './subject.ts';

/** Its own key for benches: the KEK stands in the URI. */
const TESTING_KEY = {
  enabled: true,
  cacheSize: 200,
  default: {
    uri: `testing://${Buffer.alloc(32, 42).toString('base64')}`,
    duration: '1h',
    renewBefore: '15m',
  },
};

/** Name of the subject that encrypts. */
export const SEALING_RIVAL = 'rival, sealing';

/** The Go `temporal-proxy`, mutual TLS on both hops; only where somebody has built one. */
export function rivalStarter(binary: string, encryption: 'on' | 'off' = 'off'): StartSubject {
  return async (ground) => {
    mkdirSync(ground.folder, { recursive: true });
    const port = await findFreePort();
    const metricsPort = await findFreePort();
    const { front, toEngine, platformCaFile, clientCaFile } = ground.certificates;
    const configFile = join(ground.folder, 'temporal-proxy.yaml');
    const config = {
      hostPort: `127.0.0.1:${port}`,
      tls: { cert: front.certificateFile, key: front.keyFile, ca: clientCaFile },
      upstreams: [
        {
          name: 'local',
          hostPort: `127.0.0.1:${ground.enginePort}`,
          tls: {
            cert: toEngine.certificateFile,
            key: toEngine.keyFile,
            ca: platformCaFile,
            serverName: ENGINE_NAME,
          },
        },
      ],
      routing: { default: 'local' },
      ...(encryption === 'on' ? { encryption: TESTING_KEY } : {}),
    };
    writeFileSync(configFile, JSON.stringify(config, null, 2));
    const child = await startChild({
      file: binary,
      args: ['serve', '-c', configFile, '--metrics-addr', `127.0.0.1:${metricsPort}`],
      logFile: join(ground.folder, 'temporal-proxy.log'),
      isReady: () => answersHttp(metricsPort),
    });
    return {
      target: proxyTarget(encryption === 'on' ? SEALING_RIVAL : 'rival', port, ground.certificates),
      pid: child.pid,
      stop: child.stop,
    };
  };
}

async function answersHttp(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/metrics`).then(
    () => true,
    () => false,
  );
}
