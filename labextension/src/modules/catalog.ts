/** What the server said of the machine's modules: read once, shared by the form and the pages. */
import type { Api } from '../api';
import { asError, HpcEnvError } from '../request';
import type { ILoadedModules, IModule, IModuleList } from '../tokens';

const NONE: ILoadedModules = { system: 'none', loaded: [], collections: [] };
/** So many are shown; whoever looks for more types more letters. */
export const SHOWN = 60;

export class ModuleCatalog {
  /** The module system and what the server has loaded; null until it was read. */
  facts: ILoadedModules | null = null;
  /** Why the facts could not be read. */
  error: HpcEnvError | null = null;
  /** Every module that was seen, by its full name. */
  readonly known = new Map<string, IModule>();
  /** Packages for which a module was suggested and the person has decided. */
  readonly settled = new Set<string>();

  constructor(
    private api: Pick<Api, 'modules' | 'loadedModules'>,
    private touch: () => void
  ) {}

  /** True once it is known that there are modules. */
  get present(): boolean {
    return this.facts !== null && this.facts.system !== 'none';
  }

  /** Read which module system there is and what is loaded now. A server without the route has none. */
  async refresh(): Promise<void> {
    try {
      this.facts = await this.api.loadedModules();
      this.error = null;
    } catch (reason) {
      const error = asError(reason);
      this.facts = error.status === 404 ? NONE : this.facts;
      this.error = error.status === 404 ? null : error;
    }
    this.touch();
  }

  async search(query: string): Promise<IModuleList> {
    return this.remember(await this.api.modules({ query, limit: SHOWN }));
  }

  /** Modules that have a Python package; asked once for each package. Not knowing is no answer, and is asked again. */
  provides(package_: string): Promise<IModule[]> {
    let answer = this._provides.get(package_);
    if (!answer) {
      answer = this.api.modules({ provides: package_ }).then(list => this.remember(list).modules);
      answer.catch(() => this._provides.delete(package_));
      this._provides.set(package_, answer);
    }
    return answer;
  }

  /** Read what modules need that came from a request or from what is loaded, so that removing one can take along what needs it. */
  async learn(names: readonly string[]): Promise<void> {
    const wanted = names.filter(name => !this.known.has(name) && !this._asked.has(name));
    wanted.forEach(name => this._asked.add(name));
    const before = this.known.size;
    await Promise.all(wanted.map(name => this.search(name).catch(() => this._asked.delete(name))));
    if (this.known.size > before) {
      this.touch();
    }
  }

  private remember(list: IModuleList): IModuleList {
    list.modules.forEach(module => this.known.set(module.name, module));
    return list;
  }

  private _provides = new Map<string, Promise<IModule[]>>();
  private _asked = new Set<string>();
}
