import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_NAME, type KeyPairFiles } from './certificates.ts';
import { acceptsConnections, findFreePort, startChild } from './child.ts';
import { proxyTarget, type StartSubject, type SubjectGround } from './subject.ts';

/** Envoy with mutual TLS 1.3 and HTTP/2 on both hops, one worker thread. */
export function envoyStarter(binary: string): StartSubject {
  return async (ground) => {
    mkdirSync(ground.folder, { recursive: true });
    const port = await findFreePort();
    const configFile = join(ground.folder, 'envoy.json');
    writeFileSync(configFile, JSON.stringify(envoyConfig(ground, port), null, 2));
    const child = await startChild({
      file: binary,
      args: ['-c', configFile, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning'],
      logFile: join(ground.folder, 'envoy.log'),
      isReady: () => acceptsConnections(port),
    });
    return { target: proxyTarget('envoy', port, ground.certificates), pid: child.pid, stop: child.stop };
  };
}

const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const FILTERS = 'type.googleapis.com/envoy.extensions.filters';
const UPSTREAM = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const UNBOUNDED = 1_000_000;

/** Windows as the gateway's own, and nothing that would close or refuse in mid-run, as with nginx. */
const HTTP2 = {
  max_concurrent_streams: UNBOUNDED,
  initial_stream_window_size: 1 << 20,
  initial_connection_window_size: 16 << 20,
};

function envoyConfig({ enginePort, certificates }: SubjectGround, port: number) {
  const listener = {
    name: 'front',
    address: socketAddress(port),
    tcp_backlog_size: 4_096,
    filter_chains: [{ filters: [connectionManager()], transport_socket: frontTls(certificates) }],
  };
  const engine = {
    name: 'engine',
    type: 'STATIC',
    load_assignment: {
      cluster_name: 'engine',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(enginePort) } }] }],
    },
    circuit_breakers: {
      thresholds: [{ max_connections: UNBOUNDED, max_pending_requests: UNBOUNDED, max_requests: UNBOUNDED }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': UPSTREAM,
        explicit_http_config: { http2_protocol_options: HTTP2 },
      },
    },
    transport_socket: engineTls(certificates),
  };
  return { static_resources: { listeners: [listener], clusters: [engine] } };
}

function connectionManager() {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'front',
      codec_type: 'HTTP2',
      http2_protocol_options: HTTP2,
      stream_idle_timeout: '0s',
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: 'engine', timeout: '0s' } }],
          },
        ],
      },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${FILTERS}.http.router.v3.Router` },
        },
      ],
    },
  };
}

/** No resumption, so that a handshake is a whole one. */
function frontTls({ front, clientCaFile }: SubjectGround['certificates']) {
  return transportSocket({
    '@type': `${TLS}.DownstreamTlsContext`,
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: tlsContext(front, clientCaFile),
  });
}

function engineTls({ toEngine, platformCaFile }: SubjectGround['certificates']) {
  const names = [{ san_type: 'DNS', matcher: { exact: ENGINE_NAME } }];
  return transportSocket({
    '@type': `${TLS}.UpstreamTlsContext`,
    sni: ENGINE_NAME,
    common_tls_context: tlsContext(toEngine, platformCaFile, { match_typed_subject_alt_names: names }),
  });
}

function tlsContext(pair: KeyPairFiles, caFile: string, validation: object = {}) {
  return {
    alpn_protocols: ['h2'],
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      { certificate_chain: { filename: pair.certificateFile }, private_key: { filename: pair.keyFile } },
    ],
    validation_context: { trusted_ca: { filename: caFile }, ...validation },
  };
}

function transportSocket(typedConfig: object) {
  return { name: 'envoy.transport_sockets.tls', typed_config: typedConfig };
}

function socketAddress(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
