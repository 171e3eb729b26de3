import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { type Canaries, createCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { openEngineWatch } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import {
  type EngineChanges,
  reconfigureEngine,
} from '../../packages/gatehouse/src/testing/reconfigure-engine.ts';
import { type CanaryTenant, openCanaryTenant } from './canary-tenant.ts';
import { addSearchAttributes, KEYWORD, KEYWORD_LIST, untilAttributesWork } from './search-attributes.ts';

export const ID = 'default.local';
export const OTHER = 'beta.local';
const SEALED_ATTRIBUTES = ['Customer', 'Tags'];

/** A site with sealing on, whose engine runs with changes to its configuration, and its two tenants. */
export interface ReconfiguredSite extends AttackSite {
  /** Of `ID`. */
  readonly tenant: CanaryTenant;
  /** Of `OTHER`. */
  readonly other: CanaryTenant;
  /** What both of them say. */
  readonly canaries: Canaries;
}

export async function startReconfigured(changes: EngineChanges): Promise<ReconfiguredSite> {
  const encryption = { sealing: 'on', sealedAttributes: SEALED_ATTRIBUTES } as const;
  const started = await startAttackSite(['beta'], { encryption });
  try {
    await reconfigureEngine(started.house, changes);
    // The counters of an engine begin anew with it.
    const engine = await openEngineWatch(started.house);
    const close = async (): Promise<void> => {
      engine.close();
      await started.close();
    };
    const site: AttackSite = { ...started, engine, close };
    const canaries = createCanaries();
    const [tenant, other] = [openCanaryTenant(site, ID, canaries), openCanaryTenant(site, OTHER, canaries)];
    return { ...site, tenant, other, canaries };
  } catch (error) {
    await started.close();
    throw error;
  }
}

/** Makes the sealed attributes in both namespaces, and waits until they can be used. */
export async function prepareAttributes({ house, tenant, other }: ReconfiguredSite): Promise<void> {
  for (const { id } of [tenant, other])
    await addSearchAttributes(house, id, { Customer: KEYWORD, Tags: KEYWORD_LIST });
  for (const each of [tenant, other]) await untilAttributesWork(each, { Customer: 'x', Tags: ['x'] });
}
