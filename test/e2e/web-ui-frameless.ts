import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** What the documentation tells to send with the Web UI's pages. */
const POLICY = "frame-src 'none'";

/**
 * A proxy in front of the Web UI that forbids its pages to load frames. It has the Web UI render Markdown in frames of
 * its own server, and so learn every summary that was decoded in the browser.
 */
export async function startFramelessProxy(port: number, webUiPort: number): Promise<{ close(): void }> {
  const server = createServer((req, res) => {
    const forward = { host: '127.0.0.1', port: webUiPort, method: req.method, path: req.url };
    const upstream = request({ ...forward, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-security-policy': POLICY });
      answer.pipe(res);
    });
    // Either side may go at any time.
    upstream.on('error', () => res.destroy());
    res.on('close', () => upstream.destroy());
    req.pipe(upstream);
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
