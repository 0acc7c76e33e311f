/** What adding or removing a module means for those that are chosen already. Pure, so that tests need no page. */
import type { IModule } from '../tokens';

/** `GCC/14.2.0` cut into `GCC` and `14.2.0`; a name without version has none. */
export function nameAndVersion(full: string): [string, string] {
  const at = full.lastIndexOf('/');
  return at > 0 ? [full.slice(0, at), full.slice(at + 1)] : [full, ''];
}

/** Whether *chosen* has *wanted*; a chosen name without version stands for any of its versions. */
function has(chosen: readonly string[], wanted: string): boolean {
  const [name] = nameAndVersion(wanted);
  return chosen.some(one => one === wanted || one === name);
}

/** What is known of modules, by full name. */
export type Known = ReadonlyMap<string, IModule>;

/** Those of *chosen* that can not be loaded any more when *gone* are not there, *gone* not among them. */
export function dependents(gone: readonly string[], chosen: readonly string[], known: Known): string[] {
  const lost = new Set(gone);
  const found: string[] = [];
  // in load order, so that what needs a dependent is found in the same pass
  for (const one of chosen) {
    const chains = known.get(one)?.prerequisites ?? [];
    if (!lost.has(one) && chains.length > 0 && chains.some(chain => chain.some(step => lost.has(step)))) {
      const rest = chosen.filter(other => !lost.has(other));
      if (!chains.some(chain => chain.every(step => has(rest, step)))) {
        lost.add(one);
        found.push(one);
      }
    }
  }
  return found;
}

export interface IAddition {
  /** The chain that it stands on; empty where it needs none. */
  needs: string[];
  /** What is added, in load order, the module itself last; empty where it is chosen already. */
  add: string[];
  /** What has to go for it: other versions and others of a family, and what stood on those. */
  replaces: string[];
  /** The modules after it. */
  result: string[];
}

/** What only one module at a time can have: its name, and its family where it has one. */
function seats(full: string, known: Known): string[] {
  const family = known.get(full)?.family;
  return [nameAndVersion(full)[0], ...(family ? [`family ${family}`] : [])];
}

function along(chain: string[], module: IModule, chosen: readonly string[], known: Known): IAddition {
  const add = [...chain, module.name].filter(step => !has(chosen, step));
  const names = new Set(add.flatMap(step => seats(step, known)));
  const swapped = chosen.filter(one => seats(one, known).some(seat => names.has(seat)));
  const replaces = [...swapped, ...dependents(swapped, chosen, known)];
  return { needs: chain, add, replaces, result: [...chosen.filter(one => !replaces.includes(one)), ...add] };
}

/** How *module* is added to *chosen*: along the chain that replaces least, then adds least. */
export function addition(module: IModule, chosen: readonly string[], known: Known): IAddition {
  const chains = module.prerequisites.length > 0 ? module.prerequisites : [[]];
  const ways = chains.map(chain => along(chain, module, chosen, known));
  return ways.reduce((a, b) => (b.replaces.length - a.replaces.length || b.add.length - a.add.length) < 0 ? b : a);
}

/** The modules of one name, each a version of it. */
export interface IFamily {
  name: string;
  versions: IModule[];
}

/** Modules grouped by name, in the order in which the server found them. */
export function families(modules: readonly IModule[]): IFamily[] {
  const found = new Map<string, IModule[]>();
  for (const module of modules) {
    const [name] = nameAndVersion(module.name);
    found.set(name, [...(found.get(name) ?? []), module]);
  }
  return [...found].map(([name, versions]) => ({ name, versions }));
}

/** The version that is taken unless another one is asked for: a chosen one, the default, the first. */
export function usual(family: IFamily, chosen: readonly string[]): IModule {
  const { versions } = family;
  return versions.find(one => chosen.includes(one.name)) ?? versions.find(one => one.default) ?? versions[0];
}

/** The version of *requirement*'s package that *module* brings, empty where it does not say; null: it does not bring it. */
export function brings(module: IModule, folded: (name: string) => string, name: string): string | null {
  for (const extension of module.extensions) {
    const [package_, version = ''] = extension.split('/');
    if (folded(package_) === folded(name)) {
      return version;
    }
  }
  return null;
}

/** Of modules that have a package, the one that changes least; undefined without any. */
export function easiest(modules: readonly IModule[], chosen: readonly string[], known: Known): IModule | undefined {
  const cost = (module: IModule): number[] => {
    const { replaces, add } = addition(module, chosen, known);
    return [chosen.includes(module.name) ? 0 : 1, replaces.length, add.length, module.default ? 0 : 1];
  };
  return modules
    .map(module => ({ module, cost: cost(module) }))
    .sort((a, b) => a.cost.map((each, at) => each - b.cost[at]).find(Boolean) ?? 0)[0]?.module;
}
