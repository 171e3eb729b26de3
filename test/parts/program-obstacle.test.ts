import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { missingPrograms, programObstacle } from './program-obstacle.ts';

const environment = { ...process.env };
const root = mkdtempSync(join(tmpdir(), 'gatehouse-programs-'));

before(() => {
  writeFileSync(join(root, 'there'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(root, 'no-program'), '', { mode: 0o644 });
  mkdirSync(join(root, 'folder'));
});
afterEach(() => {
  process.env = { ...environment };
});
after(() => rmSync(root, { recursive: true }));

function onPath(...folders: readonly string[]): void {
  process.env['PATH'] = folders.join(delimiter);
}

test('a program is there when some folder of PATH has it as a file that can be executed', () => {
  onPath('', '/nowhere', root);
  assert.deepEqual(missingPrograms('there', 'absent', 'no-program', 'folder'), [
    'absent',
    'no-program',
    'folder',
  ]);
  onPath('');
  assert.deepEqual(missingPrograms('there'), ['there']);
});

test('a test that needs what is missing is told why it cannot run, but in CI it must run, and fail', () => {
  onPath(root);
  delete process.env['CI'];
  assert.equal(programObstacle('there'), false);
  assert.match(String(programObstacle('there', 'absent', 'folder')), /^needs absent and folder;/);
  process.env['CI'] = 'true';
  assert.equal(programObstacle('absent'), false);
});
