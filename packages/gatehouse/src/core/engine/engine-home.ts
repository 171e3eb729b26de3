import { join } from 'node:path';

/** Where one engine keeps its files, all below the platform's home. */
export interface EngineHome {
  readonly root: string;
  readonly data: string;
  readonly pki: string;
  readonly configFile: string;
  readonly dynamicConfigFile: string;
  readonly portsFile: string;
  readonly pidFile: string;
  readonly logFolder: string;
  readonly logFile: string;
}

/** @param home the platform's home, absolute. */
export function engineHome(home: string): EngineHome {
  const root = join(home, 'engine');
  const data = join(root, 'data');
  return Object.freeze({
    root,
    data,
    pki: join(root, 'pki'),
    configFile: join(data, 'engine.yaml'),
    dynamicConfigFile: join(data, 'dynamic.yaml'),
    portsFile: join(root, 'ports.json'),
    pidFile: join(root, 'engine.pid'),
    logFolder: join(home, 'logs'),
    logFile: join(home, 'logs', 'engine.log'),
  });
}
