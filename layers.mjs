// The one table of layers: folder -> folders it may import (besides itself). Read by the check and by
// docs/architecture.md. A new folder needs a line here, with its reason in the commit.
export const storeys = {
  base: ['model', 'runtime', 'config', 'proto', 'crypto', 'pki', 'wire', 'http2', 'store'],
  core: ['access', 'audit', 'engine', 'identity', 'limits', 'sealing', 'tokens'],
  planes: ['gateway'],
};

export const layers = {
  'base/model': [],
  'base/runtime': ['base/model'],
  // Secrets of a configuration are `Secret` from the moment they are read.
  'base/config': ['base/model', 'base/runtime', 'base/crypto'],
  'base/proto': ['base/model'],
  // Whom a server's certificate names is asked in one way, of a key service and of PostgreSQL as well.
  'base/crypto': ['base/model', 'base/runtime', 'base/wire'],
  'base/pki': ['base/model', 'base/runtime'],
  'base/wire': ['base/model', 'base/runtime', 'base/pki'],
  // HTTP/2 is spoken on connections whose TLS base/wire has made.
  'base/http2': ['base/model', 'base/runtime', 'base/wire'],
  'base/store': ['base/model', 'base/runtime', 'base/crypto', 'base/wire'],
  'core/access': ['base/model', 'base/proto'],
  'core/audit': ['base/model', 'base/runtime', 'base/crypto'],
  'core/engine': [
    'base/model',
    'base/runtime',
    'base/wire',
    'base/http2',
    'base/pki',
    'base/proto',
    'base/crypto',
  ],
  'core/identity': ['base/model', 'base/runtime', 'base/crypto', 'base/pki', 'base/store'],
  // Tokens of the engine that leave the platform, bound to their namespace.
  'core/tokens': ['base/model', 'base/runtime', 'base/crypto'],
  // Payloads, attributes and filters between the wire and the keys of their namespace.
  'core/sealing': ['base/model', 'base/runtime', 'base/proto', 'base/crypto', 'base/store'],
  'core/limits': ['base/model', 'base/runtime'],
  'planes/gateway': ['base/*', 'core/*'],
  app: ['base/*', 'core/*', 'planes/*'],
  cli: ['app', 'base/config', 'base/pki', 'base/model', 'base/runtime', 'core/audit'],
  testing: ['app', 'base/*', 'core/*', 'planes/*'],
};

/** Node and npm modules that only some folders may use, with the reason. */
export const restricted = [
  {
    modules: ['node:tls', 'node:http2', 'node:net', 'node:http', 'node:https'],
    only: [
      'base/wire',
      'base/http2',
      // A KMS is reached with a CA of its own, which `fetch` cannot be given.
      'base/crypto/kms-adapters/https',
      'core/engine',
      'planes/gateway',
      'app/choose-port.ts',
    ],
    why: 'sockets live where their limits are set',
  },
  { modules: ['node:sqlite', 'pg', 'kysely'], only: ['base/store'], why: 'SQL stays behind the directory' },
  {
    modules: ['@peculiar/x509', 'reflect-metadata'],
    only: ['base/pki'],
    why: 'one place reads and makes certificates',
  },
];
