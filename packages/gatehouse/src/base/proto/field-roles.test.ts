import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  ScalarType,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { engineApiRegistry } from './api-registry.ts';
import { fieldRules, harmless, riskyName } from './field-roles.ts';
import type { FieldRule } from './field-rule.ts';
import { entryRoles, Role } from './role.ts';
import { type MessageTable, methodTables, requestTables, responseTables, roleOfCode } from './wire-tables.ts';

type Direction = 'request' | 'response';
type Place = Pick<FieldRule, 'direction' | 'message' | 'field'>;

const shortName = (message: DescMessage): string => message.typeName.replace(/^temporal\.api\./, '');

function matches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : pattern === text;
}

function isListed(lines: readonly Place[], direction: Direction, message: string, field: string): boolean {
  return lines.some(
    (line) =>
      (line.direction === 'both' || line.direction === direction) &&
      matches(line.message, message) &&
      matches(line.field, field),
  );
}

/** Names, tokens and URLs are text or bytes; messages are walked into, and numbers name nothing. */
function canCarryName(field: DescField): boolean {
  if (field.fieldKind === 'map')
    return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  return (
    field.message === undefined && (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES)
  );
}

/** The fields that look risky and that no line of the overlay explains. */
function unexplained(direction: Direction, message: DescMessage, fields: Iterable<DescField>): string[] {
  const faults: string[] = [];
  for (const field of fields) {
    if (!canCarryName(field) || !riskyName.test(field.name)) continue;
    const name = shortName(message);
    if (isListed(fieldRules, direction, name, field.name)) continue;
    if (isListed(harmless, direction, name, field.name)) continue;
    faults.push(`${direction} ${name}.${field.name}`);
  }
  return faults;
}

/** Every message below the requests or the replies of the tables' methods, with those inside an Any. */
function* messagesOf(direction: Direction): Generator<DescMessage> {
  const seen = new Set<string>();
  const waiting: DescMessage[] = apiMethods().map((method) =>
    direction === 'request' ? method.input : method.output,
  );
  for (const name of (direction === 'request' ? requestTables : responseTables).any.keys()) {
    waiting.push(messageNamed(name));
  }
  for (let message = waiting.pop(); message !== undefined; message = waiting.pop()) {
    if (seen.has(message.typeName)) continue;
    seen.add(message.typeName);
    yield message;
    for (const { message: child } of message.fields) if (child !== undefined) waiting.push(child);
  }
}

function messageNamed(name: string): DescMessage {
  const message = engineApiRegistry().getMessage(name);
  assert.ok(message, name);
  return message;
}

function apiMethods(): DescMethod[] {
  return [...methodTables.values()].map(({ service, name }) => {
    const method = engineApiRegistry()
      .getService(service)
      ?.methods.find((each) => each.name === name);
    assert.ok(method, `${service}/${name}`);
    return method;
  });
}

for (const direction of ['request', 'response'] as const) {
  test(`every field of a ${direction} that looks like a namespace, token, URL or reserved name is explained`, () => {
    const faults: string[] = [];
    for (const message of messagesOf(direction))
      faults.push(...unexplained(direction, message, message.fields));
    assert.deepEqual(faults, []);
  });

  test(`the tables know every field of every ${direction} of the engine, with the role of its rule`, () => {
    const tables = direction === 'request' ? requestTables : responseTables;
    const byName = new Map(tables.messages.map((table) => [table.name, table]));
    for (const message of messagesOf(direction)) {
      const table = byName.get(message.typeName);
      if (message.typeName === 'google.protobuf.Any') continue;
      assert.ok(table, message.typeName);
      for (const field of message.fields) assertField(direction, message, table, field);
    }
  });
}

function assertField(
  direction: Direction,
  message: DescMessage,
  table: MessageTable,
  field: DescField,
): void {
  const code = table.codes[field.number] ?? 0;
  const place = `${direction} ${message.typeName}.${field.name}`;
  assert.notEqual(code, 0, place);
  const rule = fieldRules.findLast((each) => isListed([each], direction, shortName(message), field.name));
  if (rule === undefined) return;
  assert.equal(roleIn(table, field, code), Role[carriedBy(field, rule)], place);
}

/** The role of a map is that of its entries or of its keys. */
function roleIn(table: MessageTable, field: DescField, code: number): number {
  const role = roleOfCode(code);
  if (field.fieldKind !== 'map' || entryRoles.has(role)) return role;
  return roleOfCode(table.children[field.number]?.codes[1] ?? 0);
}

/** A text's role on a field that is a message is carried by that message's own fields. */
function carriedBy(field: DescField, rule: FieldRule): FieldRule['role'] {
  const text = rule.role === 'query' || rule.role === 'taskQueue';
  return text && field.fieldKind !== 'map' && field.message !== undefined ? 'none' : rule.role;
}

test('a planted field of a new release that names a namespace, token or URL is caught', () => {
  const start = messageNamed('temporal.api.workflowservice.v1.StartWorkflowExecutionRequest');
  const model = start.fields.find(({ name }) => name === 'request_id');
  assert.ok(model);
  for (const name of ['target_namespace', 'resume_token', 'webhook_url', 'done_callback', 'nexus_endpoint']) {
    const planted: DescField = { ...model, name };
    assert.deepEqual(unexplained('request', start, [planted]), [
      `request workflowservice.v1.StartWorkflowExecutionRequest.${name}`,
    ]);
  }
  assert.deepEqual(unexplained('request', start, [model]), []);
});

test('every line of the overlay and of the harmless list still speaks of a field that exists', () => {
  const idle = [...fieldRules, ...harmless].filter((line) => !exists(line));
  assert.deepEqual(
    idle.map(({ direction, message, field }) => `${direction} ${message} ${field}`),
    [],
  );
});

function exists(line: Place): boolean {
  for (const direction of ['request', 'response'] as const) {
    if (line.direction !== 'both' && line.direction !== direction) continue;
    for (const message of messagesOf(direction)) {
      if (!matches(line.message, shortName(message))) continue;
      if (message.fields.some(({ name }) => matches(line.field, name))) return true;
    }
  }
  return false;
}

test('a request names its own namespace in a field below 16, so that it can be filled in by a one-byte tag', () => {
  for (const { path, request } of methodTables.values()) {
    const number = request.codes.findIndex((code) => roleOfCode(code) === Role.namespace);
    assert.ok(number < 16, path);
  }
});

test('T-101 every place for a task queue in a request leads to a name that is checked', () => {
  for (const message of messagesOf('request')) {
    for (const field of message.fields) {
      if (field.message?.typeName !== 'temporal.api.taskqueue.v1.TaskQueue') continue;
      const table = requestTables.messages.find(({ name }) => name === message.typeName);
      assert.equal(table?.children[field.number]?.name, 'temporal.api.taskqueue.v1.TaskQueue');
    }
  }
  const queue = requestTables.messages.find(({ name }) => name === 'temporal.api.taskqueue.v1.TaskQueue');
  const roles = [1, 3].map((number) => roleOfCode(queue?.codes[number] ?? 0));
  assert.deepEqual(roles, [Role.taskQueue, Role.taskQueue]);
});

test('T-037 every field that newer clients know and this engine does not is marked to be cut', () => {
  const clientApi = new URL('../../../../../scripts/descriptors/client-api.binpb', import.meta.url);
  const newer = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(clientApi)));
  let count = 0;
  for (const [tables, direction] of [
    [requestTables, 'request'],
    [responseTables, 'response'],
  ] as const) {
    for (const message of messagesOf(direction)) {
      const table = tables.messages.find(({ name }) => name === message.typeName);
      const known = new Set(message.fields.map(({ number }) => number));
      for (const field of newer.getMessage(message.typeName)?.fields ?? []) {
        if (known.has(field.number)) continue;
        count += 1;
        const role = roleOfCode(table?.codes[field.number] ?? 0);
        assert.equal(role, Role.newer, `${message.typeName}.${field.name}`);
      }
    }
  }
  assert.ok(count > 0, 'the clients are newer than the engine');
});
