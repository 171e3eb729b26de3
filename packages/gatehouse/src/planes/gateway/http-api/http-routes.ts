import { type DescMessage, type DescMethod, getOption, hasOption, type Message } from '@bufbuild/protobuf';
import { engineApiRegistry } from '#base/proto/api-registry';
import { matchTemplate, type PathTemplate, type PathValue, parsePathTemplate } from './path-template.ts';

/** One binding of one method of the engine's API to an HTTP method and path. */
export interface HttpRoute {
  readonly httpMethod: string;
  readonly template: PathTemplate;
  /** The request comes as JSON in the body; otherwise in the query. */
  readonly hasBody: boolean;
  /** The HTTP/2 path of the same method over gRPC: what identity, access and audit know it by. */
  readonly grpcPath: string;
  readonly request: DescMessage;
  readonly response: DescMessage;
}

export interface RouteMatch {
  readonly route: HttpRoute;
  readonly values: readonly PathValue[];
}

/** google.api.HttpRule, as the library decodes it. */
interface HttpRule {
  readonly pattern: { readonly case: string | undefined; readonly value: unknown };
  readonly body: string;
  readonly responseBody: string;
  readonly additionalBindings: readonly HttpRule[];
}

/** Services that the engine serves on its own HTTP port. */
const httpServices = [
  'temporal.api.workflowservice.v1.WorkflowService',
  'temporal.api.operatorservice.v1.OperatorService',
];

let routes: readonly HttpRoute[] | undefined;
let index: ReadonlyMap<number, readonly HttpRoute[]> | undefined;

/** Every HTTP binding of the engine's API, from its own descriptors. */
export function httpRoutes(): readonly HttpRoute[] {
  routes ??= httpServices.flatMap((name) => {
    const service = engineApiRegistry().getService(name);
    if (service === undefined) throw new Error(`the engine's API has no service ${name}`);
    return service.methods.flatMap(routesOf);
  });
  return routes;
}

/**
 * The route of a request. `'other-method'` where the path exists under another HTTP method; undefined where
 * it does not exist at all.
 */
export function findHttpRoute(
  httpMethod: string,
  segments: readonly string[],
): RouteMatch | 'other-method' | undefined {
  index ??= indexByLength(httpRoutes());
  let otherMethod = false;
  for (const route of index.get(segments.length) ?? []) {
    const values = matchTemplate(route.template, segments);
    if (values === undefined) continue;
    if (route.httpMethod === httpMethod) return { route, values };
    otherMethod = true;
  }
  return otherMethod ? 'other-method' : undefined;
}

function routesOf(method: DescMethod): HttpRoute[] {
  const extension = engineApiRegistry().getExtension('google.api.http');
  if (extension === undefined) throw new Error("the engine's API has no google.api.http");
  if (!hasOption(method, extension)) return [];
  const rule = getOption(method, extension) as Message & HttpRule;
  return [rule, ...rule.additionalBindings].map((binding) => routeOf(method, binding));
}

function routeOf(method: DescMethod, rule: HttpRule): HttpRoute {
  const { case: verb, value: path } = rule.pattern;
  const known = verb === 'get' || verb === 'post' || verb === 'put' || verb === 'delete' || verb === 'patch';
  if (!known || typeof path !== 'string') throw new Error(`HTTP rule of ${method.name} is not understood`);
  if ((rule.body !== '' && rule.body !== '*') || rule.responseBody !== '') {
    throw new Error(`HTTP rule of ${method.name} has a body that is not the whole message`);
  }
  return {
    httpMethod: verb.toUpperCase(),
    template: parsePathTemplate(path),
    hasBody: rule.body === '*',
    grpcPath: `/${method.parent.typeName}/${method.name}`,
    request: method.input,
    response: method.output,
  };
}

function indexByLength(all: readonly HttpRoute[]): ReadonlyMap<number, readonly HttpRoute[]> {
  const byLength = new Map<number, HttpRoute[]>();
  for (const route of all) {
    const { length } = route.template.parts;
    const bucket = byLength.get(length);
    if (bucket === undefined) byLength.set(length, [route]);
    else bucket.push(route);
  }
  return byLength;
}
