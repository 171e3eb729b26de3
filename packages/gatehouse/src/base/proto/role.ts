/**
 * What a field is to the gateway. The wire tables carry one role per field; everything without a role is
 * checked for form and relayed as it is.
 */
export const Role = {
  none: 0,
  /** Names a namespace: must be the connection's own. */
  namespace: 1,
  /** The engine's id of a namespace: must be that of the connection's own. */
  namespaceId: 2,
  /** A task token: leaves bound to its namespace and to its kind of task, is checked on return. */
  workflowTaskToken: 3,
  /** A page token: bound to namespace, method and question. */
  pageToken: 4,
  longPollToken: 5,
  workflowId: 6,
  workflowType: 7,
  taskQueue: 8,
  identity: 9,
  /** The name of a search attribute (the key of a map entry). */
  searchAttribute: 10,
  /** A completion callback: a URL that the engine would call, with a token of a namespace beside it. */
  callback: 11,
  /** A Nexus endpoint: names a target outside the namespace. */
  nexusEndpoint: 12,
  /** Never open to tenants. */
  forbidden: 13,
  /** Known to clients, not to this engine: cut out, since the engine would ignore it. */
  newer: 14,
  /** Blanked in replies: names of the platform's own hosts. */
  masked: 15,
  /**
   * A sub-message whose field 1 is a workflow id, a workflow type, a task queue: checked in poll replies. Page
   * tokens of a history belong to the execution.
   */
  executionMessage: 16,
  workflowTypeMessage: 17,
  taskQueueMessage: 18,
  /** Names a namespace but is never acted upon: text copied from an earlier event. */
  inertNamespace: 19,
  activityTaskToken: 20,
  nexusTaskToken: 21,
  /** A visibility query, or another text that says what a list is about. */
  query: 22,
  /** A visibility query whose results are acted upon: must not reach the engine's own workflows. */
  batchQuery: 23,
  /** An entry of a callback's header map, key and value: one of them is the engine's own token. */
  callbackHeader: 24,
  /** Where the engine would send a callback. */
  callbackUrl: 25,
  /** Names the namespace of an event elsewhere, as text for people. With Nexus it may be another one. */
  linkNamespace: 26,
  /** The key of a header that the engine sends along with a Nexus operation (the key of a map entry). */
  nexusHeader: 27,
  /** A Payload: sealed on its way in, opened on its way back. */
  payload: 28,
  /** The value of a memo entry: as a payload, but the engine reads an empty value as "delete". */
  memoPayload: 29,
  /** The value of a header entry: as a payload; SDKs write some of them without their codec. */
  headerPayload: 30,
  /** The value of a search attribute: read and indexed by the engine. */
  attributePayload: 31,
  /** The texts of a failure, and the payload in which an SDK or the gateway hides them. */
  failureMessage: 32,
  failureStackTrace: 33,
  failureAttributes: 34,
  /** Free text of a Worker that is no payload and no failure. */
  privateText: 35,
  /** A message in which payloads of another namespace may stand: one that Nexus connects with this one. */
  nexusPlace: 36,
  /** A text that says what a list is about, in another language than visibility queries. */
  listFilter: 37,
  /** What a Nexus handler answers where it fails, in the form that SDKs used before: not made of payloads. */
  nexusOperationError: 38,
  nexusHandlerError: 39,
  /** A sub-message whose field 1 is the type of the workflow that a reply shows. */
  shownWorkflowType: 40,
} as const;

/** Roles of a map that its entries have, key and value together. Others are those of its keys. */
export const entryRoles: ReadonlySet<number> = new Set([Role.callbackHeader]);

export type RoleName = keyof typeof Role;
