/** Absolute path of `failure-converter.cjs`. */
export declare const failureConverterPath: string;
