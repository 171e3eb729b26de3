import { stringify } from 'yaml';

/** Room that a sealed payload needs beyond its plain text: header, key ids, tag. Generous on purpose. */
const SEALING_BYTES = 1024;
const MIB = 1024 * 1024;

type Setting = boolean | number | string | readonly string[];

/**
 * Settings that must not depend on a default of the engine (data-plane.md section 6.4). A key that the engine
 * does not know would be ignored silently: the tests ask the engine's own `validate-dynamic-config`.
 */
const settings: Readonly<Record<string, Setting>> = {
  // One namespace per call, whatever the message says.
  'system.enableCrossNamespaceCommands': false,
  'frontend.enableTokenNamespaceEnforcement': true,
  'system.disableStreamingAuthorizer': false,
  'frontend.exposeAuthorizerErrors': false,
  'frontend.maskInternalErrorDetails': true,
  // Our token's subject names the gateway, so a principal on each event would tell nobody anything.
  'frontend.enablePrincipalPropagation': false,
  // Membership ports speak TLS with the internode certificate; the default is clear text.
  'system.enableRingpopTLS': true,
  // CHASM state is not checked against the namespace in every path of 1.31 (engine.md, decided (7)).
  'history.enableChasm': false,
  'activity.enableStandalone': false,
  // CVE-2026-89139, CVE-2026-120091: unset means every provider, among them one that runs a command taken
  // from the request. The list must hold something to count, so it holds a name that no provider has.
  'workercontroller.compute_providers.enabled': ['none'],
  'workercontroller.scaling_algorithms.enabled': ['none'],
  'workercontroller.enabled': false,
  // CVE-2026-87858: no address is allowed, so no callback leaves for the internal frontend.
  'component.callbacks.allowedAddresses': [],
  'component.nexusoperations.useSystemCallbackURL': true,
  // The port for Nexus, where it is on, would serve the whole API too, to a system admin without a token. It asks
  // this list, which Nexus's own paths do not, and no Host header can hold the end of a line.
  'frontend.httpAllowedHosts': ['\n'],
  // The gateway opens raw histories too, but of the SDKs only Go's reads them.
  'frontend.sendRawWorkflowHistory': false,
  // Off upstream too: their methods are refused at the gateway.
  'frontend.WorkflowPauseEnabled': false,
  'frontend.workflowRulesAPIsEnabled': false,
  'frontend.WorkerCommandsEnabled': false,
  'frontend.workerVersioningDataAPIs': false,
  'frontend.workerVersioningRuleAPIs': false,
  'frontend.workerVersioningWorkflowAPIs': true,
  'frontend.enableServerVersionCheck': false,
  // Above its limit the engine cuts a failure and drops our ciphertext with it.
  'limit.mutableStateActivityFailureSize.error': 65_536,
  'limit.mutableStateActivityFailureSize.warn': 65_536,
  'limit.userMetadataSummarySize': 400 + SEALING_BYTES,
  'limit.userMetadataDetailsSize': 20_000 + SEALING_BYTES,
  // Seals add to what a user may send: what fitted without them must fit with them.
  'limit.blobSize.error': 2 * MIB + 64 * SEALING_BYTES,
  'limit.memoSize.error': 2 * MIB + 64 * SEALING_BYTES,
  // Warnings at 2 KiB for every sealed memo would fill the log.
  'limit.memoSize.warn': 2 * MIB,
  'limit.blobSize.warn': 2 * MIB,
  'frontend.searchAttributesSizeOfValueLimit': 2048,
  // The gateway limits per namespace and must bind first: the engine's 2,400 a second are for all
  // namespaces together, so one could use up the others' share.
  'frontend.rps': 100_000,
  'frontend.namespaceRPS': 20_000,
  'frontend.namespaceCount': 20_000,
  // Ten lists a second do not carry a console.
  'frontend.namespaceRPS.visibility': 200,
};

/** The engine's dynamic configuration file. */
export function buildDynamicConfig(): string {
  const entries = Object.entries(settings).map(([key, value]) => [key, [{ value }]] as const);
  return stringify(Object.fromEntries(entries), { lineWidth: 0 });
}
