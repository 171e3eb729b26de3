import type { Frame } from '#base/model/frame';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { CertificatePrincipal } from '#base/model/principal';
import type { MethodTable } from '#base/proto/wire-tables';
import type { Permit } from '#core/access/permit';

/** What the wire stage knows of a connection once TLS is done. */
export interface Connection {
  readonly id: string;
  readonly peer: string;
  /** The namespace that the TLS server name names. It may not exist. */
  readonly namespaceId: string;
  /** DER, leaf first, as presented. */
  readonly certificates: readonly Uint8Array[];
  /** TLS 1.2 was spoken: only where the namespace allows it. */
  readonly tls12: boolean;
  /** Monotonic. */
  readonly openedAtMs: number;
  /** Calls were admitted when it was opened. */
  readonly admitted: boolean;
}

/** The head of one call, before any of its body is read. Header values are as sent. */
export interface CallHead {
  readonly connection: Connection;
  readonly requestId: string;
  readonly path: string;
  readonly authority: string;
  /** Every `temporal-namespace` that was sent, as sent. */
  readonly namespaceHeaders: readonly string[];
  /** A header was sent that must not decide anything here (`authorization` beside a certificate). */
  readonly ambiguous: boolean;
  readonly timeoutMs: number | undefined;
  /** Metadata for the engine: only what is on the allow-list of `engine-metadata.ts`. */
  readonly metadata: readonly string[];
}

/** A call whose caller and namespace are known. */
export interface IdentifiedCall {
  readonly head: CallHead;
  readonly principal: CertificatePrincipal;
  readonly namespace: NamespaceRecord;
  readonly snapshot: DirectorySnapshot;
}

/** A call that may be made. Only this reaches `transform` and `relay`. */
export interface PermittedCall extends IdentifiedCall {
  readonly permit: Permit;
  readonly method: MethodTable;
}

/** A call's answer, for whichever door it came through. */
export interface CallAnswer {
  readonly status: number;
  /** For the HTTPS door, where it is not what `status` maps to. */
  readonly httpStatus?: number;
  readonly message: string;
  /** One uncompressed gRPC frame, or undefined where the status is not OK. */
  readonly frame: Frame | undefined;
  /** `grpc-status-details-bin` as the engine sent it (base64). */
  readonly details: string | undefined;
  /** Further response headers, name and value in turn. */
  readonly headers: readonly string[];
  /** For the HTTPS door: when to come again. */
  readonly retryAfterSeconds?: number;
}
