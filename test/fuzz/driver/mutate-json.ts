import type { Random } from '../random.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const ATOMS: readonly string[] = [
  ...['null', 'true', 'false', '0', '-1', '1.5', '1e21', '9007199254740993', '-9223372036854775808'],
  ...['""', '"0"', '"NaN"', '"\\u0000"', '"\\ud800"', '[]', '[[]]', '{}', '[{}]', '{"":0}'],
  ...[
    '{"__proto__":{"a":1}}',
    '{"constructor":{}}',
    '{"toString":1}',
    '{"valueOf":1,"toString":1}',
    '{"toJSON":1}',
  ],
];
const NESTING_MAX = 60;

/** Changes one value of a JSON text, whatever its schema. A text that is no JSON stays as it is. */
export function mutateJson(bytes: Buffer, random: Random, words: readonly Buffer[]): Buffer {
  // Of an array of one, so that the whole has a place as well.
  const roots: Json[] = [];
  try {
    roots.push(JSON.parse(bytes.toString('utf8')));
  } catch {
    return bytes;
  }
  const places = placesOf(roots);
  const [holder, key] = random.pick(places);
  const held = holder as Record<string, Json>;
  const word = (): string => (words.length === 0 ? 'word' : random.pick(words).toString('utf8'));
  const before = held[key] ?? null;
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete held[key];
      break;
    case 1:
      held[key] = word();
      break;
    case 2:
      held[Array.isArray(holder) ? holder.length : word()] = structuredClone(before);
      break;
    case 3: {
      const [other, otherKey] = random.pick(places);
      held[key] = structuredClone((other as Record<string, Json>)[otherKey] ?? null);
      break;
    }
    case 4: {
      let nested = before;
      const inArray = random.chance(2);
      const name = random.chance(2) ? key : word();
      for (let depth = random.below(NESTING_MAX); depth >= 0; depth -= 1)
        nested = inArray ? [nested] : { [name]: nested };
      held[key] = nested;
      break;
    }
    default:
      held[key] = JSON.parse(random.pick(ATOMS));
  }
  return Buffer.from(JSON.stringify(roots[0] ?? null));
}

function placesOf(root: Json[]): [Json[] | { [key: string]: Json }, string][] {
  const places: [Json[] | { [key: string]: Json }, string][] = [];
  const holders: Json[] = [root];
  for (const holder of holders) {
    if (typeof holder !== 'object' || holder === null) continue;
    for (const [key, value] of Object.entries(holder)) {
      places.push([holder, key]);
      holders.push(value);
    }
  }
  return places;
}
