import { clone, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { engineApiFiles } from '#base/proto/api-registry';
import { accessOf } from '#core/access/method-access';

export interface CatalogueSettings {
  readonly nexusEnabled: boolean;
}

/** The API as one caller may see it. Names are fully qualified, without a leading dot. */
export interface ReflectionCatalogue {
  readonly services: readonly string[];
  /** A file and everything it imports, the file first, each serialised. Undefined where there is no such file. */
  files(name: string, sent: Set<string>): Uint8Array[] | undefined;
  fileOfSymbol(symbol: string): string | undefined;
  fileOfExtension(extendee: string, number: number): string | undefined;
  /** Undefined where there is no such type. */
  extensionNumbers(extendee: string): readonly number[] | undefined;
}

/** Services of the gateway's own, open to whoever can ask. */
const ownServices = /^grpc\.(?:health\.v1\.Health|reflection\.v1(?:alpha)?\.ServerReflection)$/;

/** Builds the catalogue once: descriptors do not change while the process lives. */
export function openCatalogue(settings: CatalogueSettings): ReflectionCatalogue {
  const files = new Map<string, FileDescriptorProto>();
  for (const file of engineApiFiles().file) files.set(file.name, withOpenMethods(file, settings));
  const index = new SymbolIndex();
  for (const file of files.values()) index.add(file);
  const serialised = new Map<string, Uint8Array>();
  const bytesOf = (file: FileDescriptorProto): Uint8Array => {
    let bytes = serialised.get(file.name);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file);
      serialised.set(file.name, bytes);
    }
    return bytes;
  };
  return {
    services: index.services,
    files: (name, sent) => withImports(name, files, sent)?.map(bytesOf),
    fileOfSymbol: (symbol) => index.symbols.get(symbol),
    fileOfExtension: (extendee, number) => index.extensions.get(extendee)?.get(number),
    extensionNumbers: (extendee) => {
      const numbers = index.extensions.get(extendee);
      if (numbers !== undefined) return [...numbers.keys()];
      return index.symbols.has(extendee) ? [] : undefined;
    },
  };
}

/** The file with only those methods that the caller can call, and without services that have none left. */
function withOpenMethods(file: FileDescriptorProto, settings: CatalogueSettings): FileDescriptorProto {
  if (file.service.length === 0) return file;
  const open = clone(FileDescriptorProtoSchema, file);
  for (const service of open.service) {
    const name = qualified(file.package, service.name);
    if (ownServices.test(name)) continue;
    service.method = service.method.filter((method) => isOpen(`/${name}/${method.name}`, settings));
  }
  open.service = open.service.filter((service) => service.method.length > 0);
  return open;
}

function isOpen(path: string, settings: CatalogueSettings): boolean {
  const access = accessOf(path);
  if (access === 'nexus') return settings.nexusEnabled;
  return access === 'read' || access === 'write' || access === 'gateway';
}

/** The file first, although it was sent before: it is what was asked for. Its imports only once per stream. */
function withImports(
  name: string,
  files: ReadonlyMap<string, FileDescriptorProto>,
  sent: Set<string>,
): FileDescriptorProto[] | undefined {
  const asked = files.get(name);
  if (asked === undefined) return undefined;
  const found = [asked];
  sent.add(name);
  // The list grows while it is walked: imports of imports follow.
  for (const file of found) {
    for (const dependency of file.dependency) {
      const next = files.get(dependency);
      if (next === undefined || sent.has(dependency)) continue;
      sent.add(dependency);
      found.push(next);
    }
  }
  return found;
}

function qualified(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}

class SymbolIndex {
  readonly services: string[] = [];
  /** Symbol to file. */
  readonly symbols = new Map<string, string>();
  readonly extensions = new Map<string, Map<number, string>>();

  add(file: FileDescriptorProto): void {
    const add = (scope: string, name: string): string => {
      const symbol = qualified(scope, name);
      this.symbols.set(symbol, file.name);
      return symbol;
    };
    for (const message of file.messageType) this.#addMessage(file, file.package, message);
    for (const type of file.enumType) {
      add(file.package, type.name);
      // Values of an enum are named in the scope around it, as in C++.
      for (const value of type.value) add(file.package, value.name);
    }
    for (const extension of file.extension) {
      add(file.package, extension.name);
      this.#addExtension(file, extension.extendee, extension.number);
    }
    for (const service of file.service) {
      const name = add(file.package, service.name);
      this.services.push(name);
      for (const method of service.method) add(name, method.name);
    }
  }

  #addMessage(file: FileDescriptorProto, scope: string, message: DescriptorProto): void {
    const name = qualified(scope, message.name);
    this.symbols.set(name, file.name);
    for (const field of message.field) this.symbols.set(`${name}.${field.name}`, file.name);
    for (const oneof of message.oneofDecl) this.symbols.set(`${name}.${oneof.name}`, file.name);
    for (const type of message.enumType) {
      this.symbols.set(`${name}.${type.name}`, file.name);
      for (const value of type.value) this.symbols.set(`${name}.${value.name}`, file.name);
    }
    for (const extension of message.extension) {
      this.symbols.set(`${name}.${extension.name}`, file.name);
      this.#addExtension(file, extension.extendee, extension.number);
    }
    for (const nested of message.nestedType) this.#addMessage(file, name, nested);
  }

  #addExtension(file: FileDescriptorProto, extendee: string, number: number): void {
    const type = extendee.replace(/^\./, '');
    const numbers = this.extensions.get(type) ?? new Map<number, string>();
    numbers.set(number, file.name);
    this.extensions.set(type, numbers);
  }
}
