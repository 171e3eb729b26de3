import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { accessOf } from '#core/access/method-access';
import { findHttpRoute, httpRoutes } from './http-routes.ts';
import { parsePathTemplate, type TemplatePart } from './path-template.ts';
import { fieldsAt } from './query-request.ts';
import { parseRequestTarget } from './request-target.ts';

const literals = new Set(
  httpRoutes().flatMap((route) =>
    route.template.parts.flatMap((part) => ('literal' in part ? [part.literal] : [])),
  ),
);

test("every HTTP binding of the engine's API is understood, and is of a method in the access table", () => {
  // 87 methods with at least two bindings each (data-plane.md 5.8), and those of OperatorService.
  assert.ok(new Set(httpRoutes().map((route) => route.grpcPath)).size >= 87);
  for (const route of httpRoutes()) assert.notEqual(accessOf(route.grpcPath), undefined, route.grpcPath);
});

test('every field that a path gives exists in its request and is text', () => {
  for (const { request, template } of httpRoutes()) {
    for (const part of template.parts) {
      if (!('field' in part)) continue;
      const field = fieldsAt(request, part.field)?.at(-1);
      assert.equal(field?.fieldKind, 'scalar', `${template.text} ${part.field.join('.')}`);
    }
  }
});

test('no request can match two routes', () => {
  const overlaps = (one: TemplatePart, other: TemplatePart | undefined): boolean =>
    other !== undefined && ('field' in one || 'field' in other || one.literal === other.literal);
  for (const [index, one] of httpRoutes().entries()) {
    for (const other of httpRoutes().slice(index + 1)) {
      if (one.httpMethod !== other.httpMethod) continue;
      if (one.template.parts.length !== other.template.parts.length) continue;
      const both = one.template.parts.every((part, at) => overlaps(part, other.template.parts[at]));
      assert.ok(!both, `${one.template.text} and ${other.template.text}`);
    }
  }
});

const value = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((text) => text !== '.' && text !== '..' && !literals.has(text) && !/[\p{Cc}/]/u.test(text));

test('any path that is made from a template is read back as that template with those values', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...httpRoutes()),
      fc.array(value, { minLength: 8, maxLength: 8 }),
      (route, values) => {
        const given = [...values];
        const path = route.template.parts
          .map((part) => ('literal' in part ? part.literal : encodeURIComponent(given.shift() ?? 'x')))
          .join('/');
        const match = findHttpRoute(route.httpMethod, parseRequestTarget(`/${path}?pretty`).segments);
        assert.ok(typeof match === 'object');
        assert.equal(match.route, route);
        assert.deepEqual(
          match.values.map((each) => each.value),
          values.slice(0, match.values.length),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a path under another HTTP method is told from one that does not exist', () => {
  const path = ['namespaces', 'orders.acme1', 'workflows'];
  assert.equal(typeof findHttpRoute('GET', path), 'object');
  assert.equal(findHttpRoute('PUT', path), 'other-method');
  assert.equal(findHttpRoute('GET', ['swagger.json']), undefined);
});

test('templates beyond the grammar in use are refused, not guessed at', () => {
  for (const text of ['a/b', '/a/{b=*}', '/a/**', '/a:verb', '/{a}x', '/a//b', '/{A}']) {
    assert.throws(() => parsePathTemplate(text), Error, text);
  }
});
