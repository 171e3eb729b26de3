/** How one limit may be set. `about` is what the reader of the configuration is told: meaning and unit. */
export interface LimitRule {
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly about: string;
}

type Rules<T> = { readonly [K in keyof T]: LimitRule };

/** What one namespace may ask of a platform, by all its connections, certificates and doors together. */
export interface NamespaceLimits {
  readonly callsPerSecond: number;
  readonly visibilityPerSecond: number;
  readonly managementPerSecond: number;
  readonly burstSeconds: number;
  readonly polls: number;
  readonly waits: number;
  readonly connections: number;
  readonly requestMebibytes: number;
  readonly replyMebibytes: number;
}

/** What one connection may ask, whosever it is. */
export interface ConnectionLimits {
  readonly streams: number;
  readonly requestMebibytes: number;
}

/** What one network address may ask before anybody knows who it is. */
export interface SourceLimits {
  readonly connectionsPerSecond: number;
  readonly connectionsBurst: number;
  readonly pendingHandshakes: number;
  readonly tracked: number;
}

export interface PlatformLimits {
  /** Platforms between which the limits of namespaces and sources are divided. */
  readonly sharedBy: number;
  /** Of a namespace that has none of its own. */
  readonly namespace: NamespaceLimits;
  readonly connection: ConnectionLimits;
  readonly source: SourceLimits;
}

/**
 * The limits of a namespace: keys, bounds and defaults, in the order in which they are stored. The defaults are
 * Temporal Cloud's where it has one (temporal-cloud.md section 9), and the engine's where not (data-plane.md 1.4).
 */
export const namespaceLimitRules: Rules<NamespaceLimits> = {
  callsPerSecond: {
    min: 1,
    max: 1_000_000,
    default: 2400,
    about: 'Calls per second, of every kind. When they run short, polls and lists are refused first.',
  },
  visibilityPerSecond: {
    min: 1,
    max: 100_000,
    default: 30,
    about: 'Of these, calls per second that search: lists, counts, scans, DescribeTaskQueue.',
  },
  managementPerSecond: {
    min: 1,
    max: 10_000,
    default: 5,
    about: 'Of these, calls per second that change Worker versions or the settings of task queues.',
  },
  burstSeconds: {
    min: 1,
    max: 60,
    default: 2,
    about: 'How many seconds of each rate an idle namespace may save up and spend at once.',
  },
  polls: {
    min: 1,
    max: 1_000_000,
    default: 20_000,
    about: 'Polls that wait at the same time, of each kind: for workflow tasks, activities, Nexus tasks.',
  },
  waits: {
    min: 1,
    max: 1_000_000,
    default: 5000,
    about: 'Other calls that wait at the same time, of each kind: queries, updates, results.',
  },
  connections: {
    min: 1,
    max: 1_000_000,
    default: 2000,
    about: 'Open connections, gRPC and HTTPS together.',
  },
  requestMebibytes: {
    min: 8,
    max: 65_536,
    default: 128,
    about: 'Requests held in memory at the same time, in MiB.',
  },
  replyMebibytes: {
    min: 8,
    max: 65_536,
    default: 256,
    about:
      'Replies that wait for their callers to read them, in MiB. From half of it on no call is begun. One reply always fits.',
  },
};

export const connectionLimitRules: Rules<ConnectionLimits> = {
  streams: {
    min: 1,
    max: 100_000,
    default: 1000,
    about: 'Calls and polls at the same time on one HTTP/2 connection. For new connections.',
  },
  requestMebibytes: {
    min: 8,
    max: 1024,
    default: 64,
    about: 'Requests of one connection held in memory at the same time, in MiB.',
  },
};

export const sourceLimitRules: Rules<SourceLimits> = {
  connectionsPerSecond: {
    min: 1,
    max: 1_000_000,
    // A TLS handshake is the dearest thing that a stranger can ask for: about 0.6 ms of one core.
    default: 200,
    about: 'New connections per second from one address (IPv6: from one /64).',
  },
  connectionsBurst: {
    min: 1,
    max: 1_000_000,
    // The Workers of one customer behind one address, coming back after a restart of the gateway.
    default: 1000,
    about: 'How many may come at once after a quiet time.',
  },
  pendingHandshakes: {
    min: 1,
    max: 1_000_000,
    default: 500,
    about: 'Handshakes of one address that are under way at the same time.',
  },
  tracked: {
    min: 100,
    max: 10_000_000,
    default: 10_000,
    about: 'Addresses that are remembered; the one that was quiet for longest is forgotten first.',
  },
};

/** Far more gateways than any region has. */
export const sharedByRule: LimitRule = {
  min: 1,
  max: 1000,
  default: 1,
  about:
    'Platforms that serve the same namespaces, each with its gateway: each grants its part of the limits of namespaces and sources. Processes of one platform (`gateway.processes`) need no part.',
};

function defaultsOf<T>(rules: Rules<T>): { readonly [K in keyof T]: number } {
  const entries = Object.entries<LimitRule>(rules).map(([key, rule]) => [key, rule.default]);
  return Object.freeze(Object.fromEntries(entries)) as { readonly [K in keyof T]: number };
}

export const defaultLimits: PlatformLimits = Object.freeze({
  sharedBy: sharedByRule.default,
  namespace: defaultsOf(namespaceLimitRules),
  connection: defaultsOf(connectionLimitRules),
  source: defaultsOf(sourceLimitRules),
});

/** The known limits of a namespace that are set, in the table's order: alike settings then read alike. */
export function orderedLimits(
  limits: { readonly [K in keyof NamespaceLimits]?: number | undefined },
): Partial<NamespaceLimits> {
  const keys = Object.keys(namespaceLimitRules) as (keyof NamespaceLimits)[];
  return Object.freeze(
    Object.fromEntries(keys.flatMap((key) => (limits[key] === undefined ? [] : [[key, limits[key]]]))),
  );
}
