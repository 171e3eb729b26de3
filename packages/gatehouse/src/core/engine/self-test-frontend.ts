import type { ConnectionOptions } from 'node:tls';
import { generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import type { SelfTestCheck, SelfTestTarget } from './self-test-check.ts';
import { HTTP2_HELLO, type ProbeResult, probe } from './tls-probe.ts';

const HOUR_MS = 3_600_000;

/** Who gets a TLS session at the frontend: nobody but the gateway. */
export async function checkFrontendTls(
  target: Pick<SelfTestTarget, 'address' | 'tls' | 'clock'>,
): Promise<readonly SelfTestCheck[]> {
  const { host, port } = target.address;
  const servername = target.tls.serverName;
  const ours: ConnectionOptions = { servername, cert: target.tls.cert, key: target.tls.key };
  const stranger = await makeStranger(target.clock.now());
  const knock = (tls: ConnectionOptions | undefined): Promise<ProbeResult> =>
    probe({
      host,
      port,
      send: HTTP2_HELLO,
      ...(tls === undefined ? {} : { tls: { ALPNProtocols: ['h2'], ...tls } }),
    });
  const [gateway, nobody, foreign, old, plain] = await Promise.all([
    knock({ ...ours, minVersion: 'TLSv1.3' }),
    knock({ servername }),
    knock({ servername, ...stranger }),
    // OpenSSL offers TLS 1.1 only at its lowest level of security.
    knock({ ...ours, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    knock(undefined),
  ]);
  return [
    // Without this one, an engine that refuses everybody would pass.
    {
      check: 'the gateway certificate is served',
      held: gateway.outcome === 'answered',
      detail: gateway.detail,
    },
    refused('the frontend without a client certificate', nobody),
    refused('the frontend with a certificate of another CA', foreign),
    refused('the frontend with TLS 1.1', old),
    refused('the frontend in plain text', plain),
  ];
}

/** Held when nobody talked to us. Silence is not proof: something keeps the connection. */
export function refused(check: string, result: ProbeResult): SelfTestCheck {
  const held = result.outcome === 'refused' || result.outcome === 'closed';
  return { check, held, detail: `${result.outcome}: ${result.detail}` };
}

async function makeStranger(nowMs: number): Promise<{ cert: string; key: string }> {
  const ca = await generateInternalCa({ commonName: 'stranger', validityMs: HOUR_MS, nowMs });
  const leaf = await generateServiceCertificate({
    ca,
    commonName: 'gateway',
    dnsNames: ['gateway'],
    usages: ['clientAuth'],
    validityMs: HOUR_MS,
    nowMs,
  });
  return { cert: leaf.certificatePem, key: leaf.privateKeyPem };
}
