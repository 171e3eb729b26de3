import { rootCertificates } from 'node:tls';

/** PEM of the public root certificates that the runtime carries: CAs that sign for anybody. */
export const publicRoots: readonly string[] = rootCertificates;
