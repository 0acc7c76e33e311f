/** Things as the server would send them, and a server that answers from a table. */
import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Actions } from '../src/actions';
import { EnvironmentsModel, IServices } from '../src/model';
import type {
  ICapturedModule,
  IEnvironment,
  IEnvironmentDetail,
  ILoadedModules,
  IManagerFacts,
  IModule,
  IModuleCheck,
  IModuleList,
  IModuleSet,
  IOperation,
  IPlan,
  IPlanned,
  ISite,
  IStep
} from '../src/tokens';
import { Announcer } from '../src/ui/announcer';
import type { IContext } from '../src/ui/context';

export const trans = nullTranslator.load('jupyter_hpcenv');

export function environment(change: Partial<IEnvironment> = {}): IEnvironment {
  const name = change.name ?? 'climate';
  return {
    id: name.padEnd(32, '0'),
    name,
    location: 'home',
    prefix: `/home/a/envs/${name}`,
    manager: 'venv',
    installer: 'uv',
    python: '3.12.11',
    state: 'ready',
    origin: 'own',
    kernels: [{ name: `hpcenv-home.${name}`, display_name: name, path: `/home/a/kernels/${name}` }],
    display_name: name,
    owner: 'a',
    message: '',
    ...change
  };
}

export function detail(change: Partial<IEnvironmentDetail> = {}): IEnvironmentDetail {
  return {
    ...environment(change),
    creator: 'uv',
    tools: { uv: '0.13.8' },
    python_path: '/usr/bin/python3.12',
    system_site_packages: false,
    packages: ['numpy'],
    modules: null,
    drift: [],
    build_variables: {},
    variables: {},
    channels: [],
    platform: { cluster: '', os: 'linux', arch: 'x86_64' },
    created: '2026-11-21T08:00:00.000Z',
    changed: '2026-11-21T08:00:00.000Z',
    operation: '20261121-080000-00000001',
    preflight: { kind: 'kernel', seconds: 0.7, at: '2026-11-21T08:00:10.000Z' },
    shared: null,
    revision: 1,
    warnings: [],
    ...change
  };
}

const STEPS = ['prefix', 'resolve', 'download', 'install', 'prove', 'publish'];

/** A module that can be loaded as it is. */
export function module(name: string, change: Partial<IModule> = {}): IModule {
  return { name, default: false, description: '', prerequisites: [], extensions: [], family: '', properties: [], ...change };
}

/** What an answer to a check says where all is well. */
export function checked(load: string[], change: Partial<IModuleCheck> = {}): IModuleCheck {
  return { load, loaded: load, messages: [], python: '', brings_packages: false, ...change };
}

export function captured(name: string): ICapturedModule {
  return { name, path: `/apps/modules/${name}.lua`, digest: '0'.repeat(64) };
}

export function moduleSet(load: string[], also: string[] = []): IModuleSet {
  const loaded = { 'debian12-x86_64': [...also, ...load].map(captured) };
  return { system: 'lmod', version: '8.6.19', purge: 'default', asked: load, load, loaded, messages: [] };
}

/** An operation that is at its *step*-th step, or that ended there. */
export function operation(name: string, step = 3, change: Partial<IOperation> = {}): IOperation {
  const failed = change.state === 'failed' || change.state === 'interrupted';
  const steps = STEPS.map(
    (step_, index): IStep => ({
      name: step_,
      title: step_[0].toUpperCase() + step_.slice(1),
      state: index < step - 1 || change.state === 'succeeded' ? 'done' : index === step - 1 ? (failed ? 'failed' : 'running') : 'todo',
      seconds: index < step ? 0.4 : null,
      detail: ''
    })
  );
  return {
    id: `20261121-080000-${name.padEnd(8, '0').slice(0, 8)}`,
    verb: 'create',
    state: 'running',
    cancelling: false,
    environment: { id: name.padEnd(32, '0'), name, location: 'home', prefix: `/home/a/envs/${name}` },
    request: { name, packages: ['numpy'] },
    submitted: '2026-11-21T08:00:00.000Z',
    started: '2026-11-21T08:00:00.500Z',
    finished: failed || change.state === 'succeeded' ? '2026-11-21T08:00:11.500Z' : '',
    user: 'a',
    host: 'login1',
    step,
    steps,
    progress: null,
    error: null,
    result: null,
    log_size: 0,
    ...change
  };
}

export function venv(change: Partial<IManagerFacts> = {}): IManagerFacts {
  const tools = { creators: ['uv'], installers: ['uv', 'pip'], default_creator: 'uv', default_installer: 'uv' };
  return { name: 'venv', ...tools, reason: '', description: '', language: 'pep508', channels: [], ...change };
}

export function conda(change: Partial<IManagerFacts> = {}): IManagerFacts {
  const tools = { creators: [], installers: [], default_creator: '', default_installer: '' };
  const words = { description: 'Packages with their libraries, from channels.', channels: ['conda-forge'] };
  return { name: 'conda', ...tools, reason: '', language: 'conda', ...words, ...change };
}

/** A site where a person chooses between two managers. */
export function siteWithConda(change: Partial<ISite> = {}): ISite {
  const modules = venv({ name: 'modules', creators: [], installers: [] });
  return site({ managers: [venv({ description: 'Wheels of the package index.' }), conda(), modules], ...change });
}

/** A file as a person drops it; jsdom's own can not be read. */
export function file(text: string, name = 'environment.yml'): File {
  return { name, size: text.length, text: () => Promise.resolve(text) } as File;
}

export function planned(name: string, change: Partial<IPlanned> = {}): IPlanned {
  const channel = 'https://conda.example.org/conda-forge';
  const url = `${channel}/linux-64/${name}-1.0-h1_0.conda`;
  return { name, version: '1.0', build: 'h1_0', channel, url, bytes: 1_000_000, cached: false, files: null, ...change };
}

export function plan(change: Partial<IPlan> = {}): IPlan {
  const install = [planned('python', { version: '3.12.11' }), planned('numpy')];
  const lists = { change: [], remove: [], requested: ['numpy'], notes: [], pip: [], warnings: [] };
  return { install, download_bytes: 2_000_000, files: null, ...lists, ...change };
}

export function site(change: Partial<ISite> = {}): ISite {
  const place = { description: '', state: 'ready' as const, message: '', free_files: null, total_files: null };
  return {
    version: '0.1.0',
    user: 'a',
    host: 'login1',
    cluster: '',
    managers: [venv()],
    pythons: [
      { path: '/opt/py/3.12/bin/python3', real: '', version: '3.12.11', source: 'site', label: 'Python 3.12.11', default: true },
      { path: '/usr/bin/python3', real: '', version: '3.11.2', source: 'system', label: 'Python 3.11.2 (system)', default: false }
    ],
    locations: [
      { ...place, name: 'home', root: '/home/a/envs', default: true, free_bytes: 8.8e9, total_bytes: 50e9 },
      { ...place, name: 'scratch', root: '/scratch/a', default: false, free_bytes: 3.1e12, total_bytes: 5e12 }
    ],
    name_pattern: '[A-Za-z0-9][A-Za-z0-9._-]{0,62}',
    reserved_names: ['base', 'python'],
    trash_days: 7,
    ...change
  };
}

export interface ICall {
  method: string;
  /** Below `hpcenv/`, with its query. */
  path: string;
  body: unknown;
  headers: Headers;
}

type Answer = object | undefined | ((call: ICall) => unknown);

/** Answers by `METHOD path`; what is not in the table is a 404. `Refusal` answers with an error. */
export class Refusal {
  constructor(
    readonly status: number,
    readonly body: unknown
  ) {}
}

export class FakeServer {
  calls: ICall[] = [];
  answers = new Map<string, Answer>([
    ['GET site', site()],
    ['GET profiles', []],
    ['GET targets', { system: '', where: 'here', partitions: [], message: 'There is none.' }],
    ['GET environments', []],
    ['GET operations', []],
    ['GET trash', []]
  ]);
  offline = false;

  set(route: string, answer: Answer): void {
    this.answers.set(route, answer);
  }

  /** Give the machine a module system with *modules*; searching and asking what provides a package work as the server's. */
  haveModules(modules: IModule[], change: Partial<ILoadedModules> = {}): void {
    this.set('GET modules/loaded', { system: 'lmod', loaded: [], collections: [], ...change });
    this.set('GET modules', (call: ICall): IModuleList => {
      const query = new URLSearchParams(call.path.split('?')[1]);
      const words = (query.get('query') ?? '').toLowerCase();
      const wanted = query.get('provides');
      const found = modules.filter(each =>
        wanted === null ? each.name.toLowerCase().includes(words) : each.extensions.some(one => one.split('/')[0] === wanted)
      );
      return { system: 'lmod', version: '8.6.19', total: found.length, modules: found };
    });
    this.set('POST modules/check', (call: ICall) => checked((call.body as { modules: string[] }).modules));
  }

  /** Requests that change something; a check of modules changes nothing. */
  get writes(): ICall[] {
    return this.calls.filter(call => call.method !== 'GET' && !call.path.startsWith('modules/check'));
  }

  get checks(): ICall[] {
    return this.calls.filter(call => call.path.startsWith('modules/check'));
  }

  readonly settings = ServerConnection.makeSettings({
    baseUrl: 'http://hub/user/a/',
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const url = new URL(request.url);
      const text = await request.text();
      const path = url.pathname.replace('/user/a/hpcenv/', '');
      const call = { method: request.method, path: path + url.search, body: text ? JSON.parse(text) : null, headers: request.headers };
      this.calls.push(call);
      if (this.offline) {
        throw new TypeError('Failed to fetch');
      }
      const key = `${request.method} ${path}`;
      if (!this.answers.has(key)) {
        return Response.json({ message: `Nothing has that id: ${key}.`, reason: '', code: 'not_found', hints: [] }, { status: 404 });
      }
      const answer = this.answers.get(key);
      const given: unknown = typeof answer === 'function' ? (answer as (call: ICall) => unknown)(call) : answer;
      if (given instanceof Refusal) {
        return Response.json(given.body, { status: given.status });
      }
      return given === undefined ? new Response(null, { status: 204 }) : Response.json(given);
    }
  });
}

export interface IWorld extends IContext {
  server: FakeServer;
  /** Send an event as the server would. */
  event: (schema: string, told?: Record<string, string>) => void;
  /** Names of the kernels that run. */
  kernels: string[];
  refreshedKernels: () => number;
  executed: [string, unknown][];
  typed: string[];
}

/** A model on a fake server, with the parts of JupyterLab that it touches. */
export function world(): IWorld {
  const server = new FakeServer();
  const owner = {};
  const stream = new Signal<object, { schema_id: string }>(owner);
  const runningChanged = new Signal<object, void>(owner);
  const kernels: string[] = [];
  let refreshed = 0;
  const services = {
    serverSettings: server.settings,
    events: { stream },
    kernels: { running: () => kernels.map(name => ({ id: name, name }))[Symbol.iterator](), runningChanged },
    kernelspecs: {
      specs: { kernelspecs: {} },
      refreshSpecs: async () => {
        refreshed++;
      }
    }
  } as unknown as IServices;
  const executed: [string, unknown][] = [];
  const typed: string[] = [];
  const app = {
    commands: {
      hasCommand: () => true,
      execute: async (id: string, args: unknown) => {
        executed.push([id, args]);
      }
    },
    serviceManager: {
      ...services,
      terminals: {
        isAvailable: () => true,
        startNew: async () => ({ name: '1', send: (message: { content: string[] }) => typed.push(...message.content) })
      }
    }
  } as unknown as ConstructorParameters<typeof Actions>[0];
  const model = new EnvironmentsModel(services);
  const actions = new Actions(app, model, trans, new Announcer());
  return {
    server,
    model,
    actions,
    trans,
    kernels,
    executed,
    typed,
    refreshedKernels: () => refreshed,
    event: (schema, told) => stream.emit({ schema_id: schema, ...told })
  };
}
