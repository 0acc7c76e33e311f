/** The REST interface, one method a route; see docs/reference/rest.md. */
import { ServerConnection } from '@jupyterlab/services';
import type { IPartition } from './batch';
import type { IProfile } from './job';
import { IRequestOptions, request } from './request';
import type {
  Dialect,
  IActivation,
  ICache,
  ICleaned,
  IEvent,
  IHit,
  IExported,
  IFinding,
  ICapturedModule,
  IChanges,
  ICreateRequest,
  IEnvironment,
  IEnvironmentDetail,
  IKernel,
  ILoadedModules,
  ILogPart,
  IModuleCheck,
  IModuleList,
  IOperation,
  IPackage,
  IShareRequest,
  ISite,
  ISize,
  ITrashItem,
  IUndo
} from './tokens';

export class Api {
  /** The server's clock minus ours in milliseconds: durations are counted on the server's. */
  clock = 0;

  constructor(readonly settings: ServerConnection.ISettings) {}

  /** What the batch system offers; it is asked for it, so that takes a moment. */
  targets(): Promise<{ partitions: IPartition[] }> {
    return this.send('GET', ['targets']);
  }

  /** What kernels may run in besides the server's own computer. */
  profiles(): Promise<IProfile[]> {
    return this.send('GET', ['profiles']);
  }

  site(): Promise<ISite> {
    return this.send('GET', ['site']);
  }

  /** The request, without a name, that a preset makes of parameters. */
  fillPreset(name: string, parameters: Record<string, unknown>): Promise<ICreateRequest> {
    return this.send('POST', ['presets', name], { body: { parameters } });
  }

  environments(): Promise<IEnvironment[]> {
    return this.send('GET', ['environments']);
  }

  environment(id: string): Promise<IEnvironmentDetail> {
    return this.send('GET', ['environments', id]);
  }

  /** The same key and the same request give the same operation, however often they are sent. */
  create(body: ICreateRequest, key: string): Promise<IOperation> {
    return this.send('POST', ['environments'], { body, headers: { 'Idempotency-Key': key } });
  }

  /** Start an operation whose result says what a create would install; nothing is built. */
  plan(body: ICreateRequest): Promise<IOperation> {
    return this.send('POST', ['plans'], { body });
  }

  delete(id: string, force = false): Promise<ITrashItem> {
    return this.send('DELETE', ['environments', id], force ? { query: { force: 1 } } : {});
  }

  /** Change what is given; the server proves the kernel again first, and an error leaves all as it was. */
  change(id: string, patch: { modules?: string[]; profile?: string }): Promise<IEnvironmentDetail> {
    return this.send('PATCH', ['environments', id], { body: patch });
  }

  /** Start an operation that changes packages, or with `dry_run` only says what would change; a *key* makes a repeated sending the same. */
  changes(id: string, body: IChanges, key = ''): Promise<IOperation> {
    return this.send('POST', ['environments', id, 'changes'], { body, headers: key ? { 'Idempotency-Key': key } : {} });
  }

  /** Start an operation that finishes or takes back a change that was killed. */
  repair(id: string): Promise<IOperation> {
    return this.send('POST', ['environments', id, 'repair']);
  }

  /** Start an operation that builds it again where its folder or its Python is gone; without *python* on the one that it had. */
  rebuild(id: string, python: string, key: string): Promise<IOperation> {
    return this.begin(id, 'rebuild', key, python ? { python } : {});
  }

  /** Start an operation that builds it at another location, and then puts what was here into the trash. */
  move(id: string, location: string, key: string): Promise<IOperation> {
    return this.begin(id, 'move', key, { location });
  }

  share(id: string, body: IShareRequest, key: string): Promise<IOperation> {
    return this.begin(id, 'share', key, body);
  }

  unshare(id: string, key: string): Promise<IOperation> {
    return this.begin(id, 'unshare', key, {});
  }

  /** Trust what a colleague shares, and get a kernel of one's own for it. */
  use(id: string): Promise<IEnvironmentDetail> {
    return this.send('POST', ['environments', id, 'use']);
  }

  unuse(id: string): Promise<null> {
    return this.send('POST', ['environments', id, 'unuse']);
  }

  /** What is known of its size; what is not is measured meanwhile. */
  size(id: string): Promise<ISize> {
    return this.send('GET', ['environments', id, 'size']);
  }

  activation(id: string, dialect = ''): Promise<IActivation> {
    return this.send('GET', ['environments', id, 'activation'], dialect ? { query: { dialect } } : {});
  }

  /** Write the file of a dialect to where the site has such files. */
  installActivation(id: string, dialect: Dialect): Promise<IActivation> {
    return this.send('POST', ['environments', id, 'activation'], { body: { dialect } });
  }

  modules(query: { query?: string; provides?: string; limit?: number }): Promise<IModuleList> {
    return this.send('GET', ['modules'], { query: { ...query } });
  }

  loadedModules(): Promise<ILoadedModules> {
    return this.send('GET', ['modules', 'loaded']);
  }

  /** Load modules in a shell of their own and say what comes of it; nothing is kept. */
  async checkModules(modules: string[], collection = ''): Promise<IModuleCheck> {
    const body = collection ? { modules, collection } : { modules };
    const answer = await this.send<Omit<IModuleCheck, 'loaded'> & { loaded: (string | ICapturedModule)[] }>('POST', ['modules', 'check'], { body });
    // names, or modules with path and digest as in a record
    return { ...answer, loaded: answer.loaded.map(each => (typeof each === 'string' ? each : each.name)) };
  }

  packages(id: string): Promise<IPackage[]> {
    return this.send('GET', ['environments', id, 'packages']);
  }

  publish(id: string, kernel: IKernel): Promise<IKernel> {
    return this.send('PUT', ['environments', id, 'kernels', kernel.name], { body: { display_name: kernel.display_name } });
  }

  /** The environment as a file; without a format, as what was asked for. */
  exported(id: string, format: string): Promise<IExported> {
    return this.send('GET', ['environments', id, 'export'], { query: format ? { format } : {} });
  }

  /** What is wrong with it; the server looks now. */
  findings(id: string): Promise<IFinding[]> {
    return this.send('GET', ['environments', id, 'findings']);
  }

  unpublish(id: string, kernel: string): Promise<null> {
    return this.send('DELETE', ['environments', id, 'kernels', kernel]);
  }

  /** Where a package can be had for an environment; it takes a while where nobody knows it. */
  search(id: string, query: string): Promise<IHit[]> {
    return this.send('GET', ['search'], { query: { query, environment: id, limit: 8 } });
  }

  /** What was done to it, the oldest first. */
  history(id: string): Promise<IEvent[]> {
    return this.send('GET', ['environments', id, 'history']);
  }

  /** What was done last that can be undone, and what that would change; nothing is done by it. */
  undoable(id: string): Promise<IUndo> {
    return this.send('GET', ['environments', id, 'undo']);
  }

  /** Start an operation that undoes it. */
  undo(id: string, key: string): Promise<IOperation> {
    return this.begin(id, 'undo', key, {});
  }

  /** How large all environments are, as far as it is known; the rest is measured meanwhile. */
  sizes(): Promise<ISize[]> {
    return this.send('GET', ['sizes']);
  }

  caches(): Promise<ICache[]> {
    return this.send('GET', ['caches']);
  }

  /** Clean caches, or with *dry* only say what would go. */
  cleanCaches(caches: string[], dry: boolean): Promise<ICleaned[]> {
    return this.send('POST', ['caches', 'clean'], { body: { caches, dry_run: dry } });
  }

  trash(): Promise<ITrashItem[]> {
    return this.send('GET', ['trash']);
  }

  restore(id: string): Promise<IEnvironmentDetail> {
    return this.send('POST', ['trash', id, 'restore']);
  }

  /** Make it unrestorable; its bytes go in the background. */
  deleteForGood(id: string): Promise<null> {
    return this.send('DELETE', ['trash', id]);
  }

  operations(): Promise<IOperation[]> {
    return this.send('GET', ['operations']);
  }

  operation(id: string): Promise<IOperation> {
    return this.send('GET', ['operations', id]);
  }

  log(id: string, offset: number): Promise<ILogPart> {
    return this.send('GET', ['operations', id, 'log'], { query: { offset } });
  }

  cancel(id: string): Promise<IOperation> {
    return this.send('POST', ['operations', id, 'cancel']);
  }

  forget(id: string): Promise<null> {
    return this.send('DELETE', ['operations', id]);
  }

  /** Start what is done to an environment; the same key and the same body give the same operation. */
  private begin(id: string, verb: string, key: string, body: object): Promise<IOperation> {
    return this.send('POST', ['environments', id, verb], { body, headers: { 'Idempotency-Key': key } });
  }

  private send<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string[], options: IRequestOptions = {}): Promise<T> {
    return request<T>(this.settings, method, path, {
      ...options,
      onClock: offset => {
        this.clock = offset;
      }
    });
  }
}
