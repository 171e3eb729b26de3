import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity as checkAsNodeDoes, type PeerCertificate } from 'node:tls';
import { domainToASCII } from 'node:url';

/**
 * Is this certificate one for the host that was called? For `checkServerIdentity` of every TLS client of ours.
 *
 * What Node refuses is refused. Node still believes a common name where subjectAltName names no host, and `ba*.a.test`
 * for `baz.a.test`; RFC 9525 (sections 2 and 6.3) believes neither: a host is named by a dNSName alone, an address by
 * an iPAddress alone, and a wildcard is the whole first label of at least three, and no underscore in a host. OpenSSL
 * decides that on the certificate itself: the text that Node makes of it need not be taken apart.
 *
 * @returns an error with the code that Node gives, or undefined where the certificate is for the host; never throws.
 */
export function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkAsNodeDoes(host, certificate);
  if (fault !== undefined) return fault;
  return isNamedIn(new X509Certificate(certificate.raw), host) ? undefined : refusalOf(host);
}

/** With a dot in front OpenSSL would take any name below; an asterisk would be a letter like any other. */
const HOST = /^(?!.{254})[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i;

function isNamedIn(certificate: X509Certificate, host: string): boolean {
  // As Node reads it: domainToASCII knows no IPv6, and `0x7f.1` is an address after it.
  const name = (isIP(host) === 0 ? domainToASCII(host) : host).replace(/\.$/, '');
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  if (!HOST.test(name)) return false;
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}

function refusalOf(host: string): Error {
  const reason = `the certificate's subjectAltName does not name ${host}; a common name does not count`;
  return Object.assign(new Error(reason), { code: 'ERR_TLS_CERT_ALTNAME_INVALID', reason, host });
}
