import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

let files: FileDescriptorSet | undefined;
let registry: FileRegistry | undefined;

/** The descriptors of the engine's own API release, as the engine's module publishes them. */
export function engineApiFiles(): FileDescriptorSet {
  // Read on first use: only reflection, the HTTP API and tests need whole descriptors.
  files ??= fromBinary(
    FileDescriptorSetSchema,
    readFileSync(new URL('../../../data/engine-api.binpb', import.meta.url)),
  );
  return files;
}

/** Descriptors by name, for decoding where a wire-level look is not enough (HTTP/JSON, reflection). */
export function engineApiRegistry(): FileRegistry {
  registry ??= createFileRegistry(engineApiFiles());
  return registry;
}

/** @throws Error if the engine's API has no such message: a bug of ours. */
export function messageType(name: string): DescMessage {
  const message = engineApiRegistry().getMessage(name);
  if (message === undefined) throw new Error(`the engine's API has no message ${name}`);
  return message;
}
