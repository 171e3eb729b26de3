import type { LayerTable } from './scripts/layer-rules.ts';

export declare const storeys: LayerTable['storeys'];
export declare const layers: LayerTable['layers'];
export declare const restricted: LayerTable['restricted'];
