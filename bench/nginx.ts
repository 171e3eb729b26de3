import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_NAME } from './certificates.ts';
import { acceptsConnections, findFreePort, startChild } from './child.ts';
import { proxyTarget, type Subject, type SubjectGround } from './subject.ts';

/** nginx `grpc_pass` with mutual TLS 1.3 on both hops, one worker. Needs `nginx` on PATH, 1.14 or later. */
export async function startNginx(ground: SubjectGround): Promise<Subject> {
  mkdirSync(ground.folder, { recursive: true });
  const port = await findFreePort();
  const configFile = join(ground.folder, 'nginx.conf');
  writeFileSync(configFile, nginxConfig(ground, port));
  const child = await startChild({
    file: 'nginx',
    args: ['-p', ground.folder, '-e', join(ground.folder, 'error.log'), '-c', configFile],
    logFile: join(ground.folder, 'nginx.log'),
    isReady: () => acceptsConnections(port),
  });
  return { target: proxyTarget('nginx', port, ground.certificates), pid: child.pid, stop: child.stop };
}

/**
 * Everything that would close or refuse in mid-run is lifted: streams per connection, calls per connection,
 * ages and idle times. `keepalive 512` lets it keep an upstream connection per call in flight at 256.
 */
function nginxConfig({ enginePort, certificates, folder }: SubjectGround, port: number): string {
  const { front, toEngine, platformCaFile, clientCaFile } = certificates;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`)
    .join('\n');
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
events { worker_connections 18000; }
http {
${temporary}
  access_log off;
  upstream engine {
    server 127.0.0.1:${enginePort};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${port} ssl http2 backlog=4096;
    ssl_protocols TLSv1.3;
    ssl_certificate ${front.certificateFile};
    ssl_certificate_key ${front.keyFile};
    ssl_session_tickets off;
    ssl_session_cache off;
    ssl_verify_client on;
    ssl_client_certificate ${clientCaFile};
    http2_max_concurrent_streams 1000000;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
    client_body_timeout 1h;
    location / {
      grpc_pass grpcs://engine;
      grpc_ssl_protocols TLSv1.3;
      grpc_ssl_certificate ${toEngine.certificateFile};
      grpc_ssl_certificate_key ${toEngine.keyFile};
      grpc_ssl_trusted_certificate ${platformCaFile};
      grpc_ssl_verify on;
      grpc_ssl_name ${ENGINE_NAME};
      grpc_ssl_server_name on;
      grpc_read_timeout 1h;
      grpc_send_timeout 1h;
    }
  }
}
`;
}
