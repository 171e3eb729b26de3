// What TypeScript declares of WebAssembly only for browsers, as much of it as is used here.
declare namespace WebAssembly {
  class Memory {
    readonly buffer: ArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(
      module: Module,
      imports: Readonly<Record<string, Readonly<Record<string, (...given: never[]) => unknown>>>>,
    );
    readonly exports: unknown;
  }
}
