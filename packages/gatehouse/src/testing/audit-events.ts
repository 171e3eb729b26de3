import { openAuditFields } from '#app/audit-fields';
import { homeAt } from '#app/home';
import { createRecordReader, type RecordReader } from '#core/audit/audit-record';
import { listChains } from '#core/audit/chains';
import { readLines } from '#core/audit/read-lines';
import { listSegments } from '#core/audit/segment-files';

/** A line of the chain: a record with its fields opened, or a header or checkpoint. */
export type RecordedEvent = Readonly<Record<string, string | number>>;

/** All that a home's audit chain holds, oldest first, over all segments. */
export async function readAuditEvents(home: string): Promise<readonly RecordedEvent[]> {
  return (await readChainEvents(home)).get('') ?? [];
}

/** The same for each chain of a home, by its name: the home's own has none. */
export async function readChainEvents(home: string): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
  const opener = await openAuditFields(home);
  const all = new Map<string, readonly RecordedEvent[]>();
  for (const { name, folder } of await listChains(homeAt(home).audit)) {
    const reader = createRecordReader(opener);
    const events: RecordedEvent[] = [];
    for (const { path } of await listSegments(folder)) {
      // Whole lines only: the last one may be being written.
      for await (const { lines } of readLines(path)) {
        for (const line of lines) events.push(eventOf(line, reader));
      }
    }
    all.set(name, events);
  }
  return all;
}

function eventOf(line: string, reader: RecordReader): RecordedEvent {
  const record = reader.read(line);
  if (record === undefined) return JSON.parse(line) as RecordedEvent;
  const { closed, ...event } = record;
  if (Object.keys(closed).length > 0) throw new Error(`a field could not be opened: ${line}`);
  return event;
}
