/** Entries of a marker's details that an SDK writes without its codec. */
export interface MarkerNote {
  /** `marker_name` of the command. */
  readonly marker: string;
  /** Keys in its `details`. */
  readonly keys: readonly string[];
  readonly why: string;
}

/** A text that an SDK puts into a failure by itself. */
export interface SdkText {
  /** The whole text, or how it begins. */
  readonly text: string;
  /** Where it is only the beginning: the method in whose failure it may stand. */
  readonly beginsIn?: string;
  readonly why: string;
}

/**
 * Found with a recording proxy between the Workers of TypeScript 1.24, Python 1.35, Go 1.50 and Java 1.38 and their
 * server, each with a codec and encoded failure attributes. What holds no word of the application's own passes; all
 * else that was found (headers, search attributes, texts of queries) needs a word of `plaintextAllowed`.
 */
const markerNotes: readonly MarkerNote[] = [
  {
    marker: 'core_local_activity',
    keys: ['data'],
    why: 'TypeScript, Python: number, type, attempt and times of a local activity; its result stands apart, encrypted',
  },
  {
    marker: 'core_patch',
    keys: ['patch-data'],
    why: 'TypeScript, Python: the id of a patch, also in TemporalChangeVersion',
  },
  {
    marker: 'LocalActivity',
    keys: ['activityId', 'meta', 'time', 'type'],
    why: 'Java: id, type, attempt and times of a local activity; input and result stand apart, encrypted',
  },
  {
    marker: 'Version',
    keys: ['changeId', 'version', 'versionSearchAttributeUpdated'],
    why: 'Java: the id of a change, also in TemporalChangeVersion, and its number',
  },
  {
    marker: 'MutableSideEffect',
    keys: ['id', 'skipCount'],
    why: 'Java: the id that the code gives to a side effect; its value stands apart, encrypted',
  },
];

/** Search attributes that SDKs set by themselves and that the engine reads. */
export const sdkAttributes: ReadonlyMap<string, string> = new Map([
  ['TemporalChangeVersion', 'ids of changes in the code, for finding Workflows by them'],
]);

/** What every SDK writes in place of a message that is encrypted in `encoded_attributes`, also where a query failed. */
export const HIDDEN_MESSAGE = 'Encoded failure';

/** Messages of failures. */
export const sdkFailureTexts: readonly SdkText[] = [
  { text: 'Activity timed out', why: 'TypeScript, Python: a local activity, in its marker' },
  { text: 'Activity cancelled', why: 'TypeScript, Python: a local activity, in its marker' },
  { text: 'Local Activity task failed', why: 'Java: around the encrypted cause, in a marker' },
  { text: 'Local Activity task timed out', why: 'Java: as above' },
  {
    text: '[TMPRL1103] Attempted to upload payloads with size that exceeded the error limit.',
    why: 'TypeScript, Python: in place of a completion that is too large',
  },
  {
    text: '[TMPRL1100] Nondeterminism error: ',
    beginsIn: 'RespondWorkflowTaskFailed',
    why: 'TypeScript, Python: names of events, commands and types; without it nobody learns why a Workflow stands still',
  },
];

/** Is this message of a failure one of those? */
export function isSdkFailureText(method: string, text: string): boolean {
  return sdkFailureTexts.some((known) =>
    known.beginsIn === undefined
      ? known.text === text
      : known.beginsIn === method && text.startsWith(known.text),
  );
}

/** May this entry of a marker's details be plaintext? */
export function isMarkerNote(marker: string, key: string): boolean {
  return markerNotes.some((note) => note.marker === marker && note.keys.includes(key));
}
