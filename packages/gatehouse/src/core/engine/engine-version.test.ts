import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineAdvisories } from './engine-advisories.ts';
import { EngineError } from './engine-error.ts';
import { checkEngineVersion, parseEngineVersion } from './engine-version.ts';

const ours = { settingsAreOurs: true };
const foreign = { settingsAreOurs: false };

function refusal(version: string, check: { settingsAreOurs: boolean }): string {
  try {
    checkEngineVersion(version, check);
  } catch (error) {
    assert.ok(error instanceof EngineError);
    return error.message;
  }
  return assert.fail(`${version} was let through`);
}

test('the version line of the engine is read, and nothing else is', () => {
  assert.equal(parseEngineVersion('temporal version 1.31.2\n'), '1.31.2');
  assert.equal(parseEngineVersion('warning\ntemporal version 1.31.2\n'), '1.31.2');
  for (const text of [
    '',
    'temporal version',
    'temporal version 1.31',
    'temporal version 1.31.2-DEV',
    'v1.31.2',
  ]) {
    assert.equal(parseEngineVersion(text), undefined, text);
  }
});

test('T-098 an engine outside 1.31 is refused, with the advisory that it is open to', () => {
  for (const [version, advisory] of [
    ['1.19.4', 'CVE-2023-3485'],
    ['1.22.6', 'CVE-2024-2689'],
    ['1.29.1', 'CVE-2025-14986'],
    ['1.30.9', 'CVE-2025-8396'],
  ] as const) {
    const message = refusal(version, ours);
    assert.match(message, new RegExp(`${version.replaceAll('.', '\\.')}.*1\\.31`));
    assert.ok(message.includes('CVE-'), message);
    assert.ok(engineAdvisories.some((row) => row.id === advisory));
  }
  assert.match(refusal('1.32.0', ours), /use a 1\.31 release/);
  assert.match(refusal('2.0.0', ours), /use a 1\.31 release/);
  assert.match(refusal('latest', ours), /not a Temporal Server version/);
});

test('T-098 a patch of 1.31 with an advisory that nothing holds is refused, naming number and fix', () => {
  const message = refusal('1.31.1', ours);
  assert.match(message, /CVE-2026-5724/);
  assert.match(message, /1\.31\.2/);
});

test('T-098 the pinned 1.31.2 runs with our settings, and says which advisories they hold', () => {
  const verdict = checkEngineVersion('1.31.2', ours);
  const held = verdict.held.map((row) => row.id);
  assert.ok(held.includes('CVE-2026-89139'));
  assert.ok(held.includes('CVE-2026-65651'));
  assert.deepEqual(verdict.accepted, []);
});

test('T-098 a configured 1.31.2 is refused unless each advisory is accepted by name', () => {
  assert.match(refusal('1.31.2', foreign), /CVE-2026-89139.*fixed in 1\.31\.3/);
  const needed = engineAdvisories
    .filter((row) => row.heldBy !== undefined && row.heldBy.by !== 'gateway')
    .map((row) => row.id);
  const verdict = checkEngineVersion('1.31.2', { ...foreign, acceptedAdvisories: needed });
  assert.deepEqual(
    verdict.accepted.map((row) => row.id),
    needed,
  );
});

test('T-098 a configured 1.31.5 has no open advisory', () => {
  assert.deepEqual(checkEngineVersion('1.31.5', foreign).held, []);
});

test('every advisory names its source, and a fixed version lies outside its own range', () => {
  for (const row of engineAdvisories) {
    assert.match(row.id, /^CVE-\d{4}-\d+$/);
    assert.ok(row.source.length > 0);
    for (const range of row.affected) assert.ok(range.before !== undefined, row.id);
  }
});
