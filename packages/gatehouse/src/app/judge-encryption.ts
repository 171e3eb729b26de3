import type { Directory } from '#base/store/directory';
import { isReservedSearchAttribute } from '#core/access/reserved-names';
import type { EngineHandle } from '#core/engine/engine-handle';
import { listSearchAttributes } from '#core/engine/list-search-attributes';
import { parsePlaintextWord } from '#core/sealing/client-encryption/plaintext-rules';
import { attributeProblem } from '#core/sealing/visibility-query/attribute-problem';
import type { NamespaceFault, WantedNamespace } from './wanted-namespace.ts';

/** What is wrong with the encryption settings of a namespace, as far as they tell by themselves. */
export function encryptionProblems({ encryption }: WantedNamespace): readonly Problem[] {
  const attributes = encryption?.sealedAttributes ?? [];
  const words = encryption?.plaintextAllowed ?? [];
  return [
    ...attributes.filter(isReservedSearchAttribute).map((name) => ({
      field: 'sealedAttributes' as const,
      problem: `${name} belongs to the engine, which reads it: it cannot be sealed`,
    })),
    ...words
      .filter((word) => parsePlaintextWord(word) === undefined)
      .map((word) => ({
        field: 'plaintextAllowed' as const,
        problem: `${JSON.stringify(word)} is no place: write header, memo:NAME, attribute:NAME, marker:NAME, failure, summary, query-error, encoding:NAME or path:FIELD`,
      })),
  ];
}

interface Problem {
  readonly field: NamespaceFault['field'];
  readonly problem: string;
}

/**
 * Attributes that are to be sealed and are of a type that cannot be. One that the engine does not know yet may
 * come later. Asked of the engine, so only where something changes. @throws EngineError
 */
export async function judgeSealedAttributes(
  directory: Directory,
  engine: EngineHandle,
  wanted: readonly WantedNamespace[],
): Promise<readonly NamespaceFault[]> {
  const faults: NamespaceFault[] = [];
  for (const [index, { id, encryption }] of wanted.entries()) {
    const stored = directory.snapshot().namespaces.get(id);
    const added = (encryption?.sealedAttributes ?? []).filter(
      (name) => stored?.sealedAttributes.includes(name) !== true,
    );
    if (added.length === 0 || stored === undefined || stored.engineId === null) continue;
    const { custom, system } = await listSearchAttributes(engine, id);
    for (const name of added) {
      const type = custom.get(name);
      const problem = system.has(name)
        ? 'it belongs to the engine, which reads it'
        : type && attributeProblem(type);
      if (problem === undefined || problem === '') continue;
      faults.push({ index, field: 'sealedAttributes', problem: `${name} cannot be sealed: ${problem}` });
    }
  }
  return faults;
}
