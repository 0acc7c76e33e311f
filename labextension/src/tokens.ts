/** The words of the REST interface as types, and the names by which other parts find this extension. */
import type { IBatchRequest } from './batch';
import { Token } from '@lumino/coreutils';
import type { EnvironmentsModel } from './model';
import type { IPreset } from './preset';

export type { ICache, ICleaned, IEvent, IExported, IFinding, IHit, ISize, IUndo } from './afterwards';

/** Also the id under which the settings are stored. */
export const PLUGIN = 'jupyter-hpcenv:plugin';
export const DOMAIN = 'jupyter_hpcenv';
export const OPERATION_EVENT = 'https://events.jupyter-hpcenv.org/operation/v1';
export const ENVIRONMENT_EVENT = 'https://events.jupyter-hpcenv.org/environment/v1';

export const IEnvironments = new Token<EnvironmentsModel>(
  'jupyter-hpcenv:IEnvironments',
  'The environments and operations that the server knows, as they stand now.'
);

/** Commands that anybody may call, notebooks included: they open and fill, they never change anything. */
export namespace CommandIDs {
  export const focusPanel = 'hpcenv:focus-panel';
  export const create = 'hpcenv:new';
  export const fromFile = 'hpcenv:new-from-file';
  export const open = 'hpcenv:open';
  export const refresh = 'hpcenv:refresh';
}

export type EnvironmentState = 'ready' | 'module_missing' | 'missing' | 'python_gone' | 'broken' | 'newer' | 'slow';
export type OperationState = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

export interface IKernel {
  name: string;
  display_name: string;
  /** Empty while it is not published. */
  path: string;
}

export interface IEnvironment {
  id: string;
  name: string;
  location: string;
  prefix: string;
  manager: string;
  installer: string;
  python: string;
  state: EnvironmentState;
  origin: 'own' | 'shared' | 'adopted' | 'foreign';
  kernels: IKernel[];
  display_name: string;
  owner: string;
  message: string;
}

export interface IEnvironmentDetail extends IEnvironment {
  creator: string;
  tools: Record<string, string>;
  python_path: string;
  system_site_packages: boolean;
  packages: string[];
  modules: IModuleSet | null;
  /** What is gone or changed since its modules were captured. */
  drift: IDrift[];
  build_variables: Record<string, string>;
  variables: Record<string, string>;
  /** Conda channels that its packages came from, best first. */
  channels: string[];
  platform: { cluster: string; os: string; arch: string } | null;
  created: string;
  changed: string;
  operation: string;
  preflight: { kind: 'kernel' | 'import'; seconds: number; at: string } | null;
  profile?: string;
  /** For which kind of computer its own prefix is, where it has several builds; else empty. */
  target?: string;
  /** The others, by target. */
  builds?: Record<string, { created: string; edition: number }>;
  /** Counts changes of packages; a build of another edition is outdated. */
  edition?: number;
  /** With whom its owner shares it; an empty group means everybody on the machine. Null: with nobody. */
  shared: { group: string } | null;
  revision: number;
  /** What to know of the edit that this answers; empty in any other answer. */
  warnings: string[];
}

/** What is sent to create an environment; an empty text means the site's default. */
export interface ICreateRequest {
  name: string;
  manager?: string;
  python?: string;
  packages?: string[];
  requirements?: string;
  location?: string;
  prefix?: string;
  installer?: string;
  /** Null or left out: the server decides by the modules. */
  system_site_packages?: boolean | null;
  modules?: string[];
  /** A saved collection of modules, in place of `modules`. */
  collection?: string;
  build_variables?: Record<string, string>;
  /** Of conda, best first; empty: those that are configured. */
  channels?: string[];
  /** Versions of conda's virtual packages on the computer that it is for, such as `cuda`. */
  virtual_packages?: Record<string, string>;
  /** Text of an environment.yml, explicit list or lockfile. */
  file?: string;
  /** Id of an environment of which this is to be a copy, in place of packages and files. */
  clone_of?: string;
  variables?: Record<string, string>;
  display_name?: string;
  kernel?: boolean;
  /** Of a preset or of the project that `file` describes; the form has no fields for them. */
  creator?: string;
  extras?: string[];
  groups?: string[];
  /** The profile of the job in which its kernel runs. */
  profile?: string;
  /** Build as a job of the batch system. */
  on?: IBatchRequest | null;
}

/** With whom an environment is to be shared: a group, or everybody on the machine. */
export interface IShareRequest {
  group?: string;
  everybody?: boolean;
}

/** What one transaction does to the packages of an environment. */
export interface IChanges {
  /** Requirements or match specs, as its manager takes them. */
  install?: string[];
  /** Names, as in `remove`. */
  update?: string[];
  update_all?: boolean;
  remove?: string[];
  /** Only say what would change. */
  dry_run?: boolean;
}

export interface IStep {
  name: string;
  title: string;
  state: 'todo' | 'running' | 'done' | 'failed';
  seconds: number | null;
  detail: string;
}

export interface IProgress {
  packages_done: number | null;
  packages_total: number | null;
  bytes_done: number | null;
  bytes_total: number | null;
}

/** The flat body of every error. */
export interface IErrorBody {
  message: string;
  reason: string;
  code: string;
  hints: string[];
}

export interface IOperation {
  id: string;
  verb: string;
  state: OperationState;
  cancelling: boolean;
  environment: { id: string; name: string; location: string; prefix: string };
  /** What was asked for; of which kind, the verb says. */
  request: Partial<ICreateRequest & IChanges & IShareRequest>;
  submitted: string;
  started: string;
  finished: string;
  user: string;
  host: string;
  step: number;
  steps: IStep[];
  progress: IProgress | null;
  error: IErrorBody | null;
  result: Record<string, unknown> | null;
  log_size: number;
  /** What it waits for in the queue of the batch system; empty where it does not. */
  waiting?: string;
}

/** A package of a plan. */
export interface IPlanned {
  name: string;
  version: string;
  build: string;
  channel: string;
  url: string;
  /** To download; 0 where the channel does not say it. */
  bytes: number;
  cached: boolean;
  files: number | null;
}

/** What a create or a change would do: the result of an operation “plan” or “plan_change”. */
export interface IPlan {
  install: IPlanned[];
  change: { name: string; old: IPlanned; new: IPlanned }[];
  remove: IPlanned[];
  /** Null while nobody knows, as below. */
  download_bytes: number | null;
  files: number | null;
  requested: string[];
  notes: string[];
  pip: string[];
  warnings: string[];
}

export interface ILogLine {
  at: number;
  kind: 'step' | 'output' | 'warning' | 'error';
  text: string;
}

export interface ILogPart {
  lines: ILogLine[];
  offset: number;
  complete: boolean;
}

export interface IPythonFact {
  path: string;
  real: string;
  version: string;
  source: string;
  label: string;
  default: boolean;
}

export interface ILocation {
  name: string;
  root: string;
  description: string;
  state: 'ready' | 'missing' | 'unwritable' | 'slow';
  message: string;
  default: boolean;
  free_bytes: number | null;
  total_bytes: number | null;
  free_files: number | null;
  total_files: number | null;
  /** What may be used; null where there is no quota, or none is known. */
  quota_bytes?: number | null;
  used_bytes?: number | null;
  quota_files?: number | null;
  used_files?: number | null;
  /** Why the quota is not known. */
  quota_message?: string;
  /** Days after which files go that nobody used; null: they stay. */
  purge_days?: number | null;
  /** Null where the site does not say. */
  backed_up?: boolean | null;
  /** Whether environments there may be shared. */
  sharing?: boolean;
}

/** How packages are asked for: as requirements of Python's index, or as match specs. */
export type Language = 'pep508' | 'conda';

export interface IManagerFacts {
  name: string;
  creators: string[];
  installers: string[];
  default_creator: string;
  default_installer: string;
  /** Why the defaults are what they are. */
  reason: string;
  /** When to take it, in the site's words; empty: nobody is asked whether to take it. */
  description: string;
  language: Language;
  /** Where packages come from if a request names no channels, best first. */
  channels: string[];
}

export interface ISite {
  version: string;
  user: string;
  host: string;
  cluster: string;
  managers: IManagerFacts[];
  pythons: IPythonFact[];
  locations: ILocation[];
  presets?: IPreset[];
  name_pattern: string;
  reserved_names: string[];
  trash_days: number;
}

export interface ITrashItem {
  id: string;
  name: string;
  location: string;
  prefix: string;
  path: string;
  python: string;
  deleted: string;
  expires: string;
}

export type ModuleSystem = 'lmod' | 'tcl' | 'none';

/** A module that can be loaded, at once or after others. */
export interface IModule {
  /** With its version: `GCC/14.2.0`. */
  name: string;
  default: boolean;
  description: string;
  /** Chains of which one has to be loaded first; none: it can be loaded as it is. */
  prerequisites: string[][];
  /** Packages that it brings, some with their version: `numpy/2.3.1`. */
  extensions: string[];
  /** Of a family only one can be loaded; empty where it belongs to none. */
  family: string;
  properties: string[];
}

export interface IModuleList {
  system: ModuleSystem;
  version: string;
  /** How many match; fewer may be sent. */
  total: number;
  modules: IModule[];
}

/** What the server itself has loaded, which need not be what a person's terminal has. */
export interface ILoadedModules {
  system: ModuleSystem;
  loaded: string[];
  collections: string[];
}

/** A module as it was captured. */
export interface ICapturedModule {
  name: string;
  path: string;
  digest: string;
}

/** What loading a list of modules gives. */
export interface IModuleCheck {
  /** Full names of what was asked for. */
  load: string[];
  /** Full names of all that it brings. */
  loaded: string[];
  messages: string[];
  /** The Python among them; empty without one. */
  python: string;
  brings_packages: boolean;
}

export interface IModuleSet {
  system: string;
  version: string;
  purge: string;
  asked: string[];
  load: string[];
  /** All that loading brings, by target, such as `debian12-x86_64`. */
  loaded: Record<string, ICapturedModule[]>;
  messages: string[];
}

export interface IDrift {
  module: string;
  /** `gone`, `changed`, `unreadable` or a word that this panel does not know yet. */
  what: string;
  message: string;
}

export type Dialect = 'sh' | 'csh' | 'fish' | 'lmod' | 'tcl' | 'bash' | 'sbatch' | 'pbs';

export interface IActivation {
  dialect: string;
  /** The lines to type. */
  command: string;
  /** The whole file; empty where the prefix brings its own. */
  text: string;
  /** Where the file is installed; empty while it is not. */
  path: string;
  /** The `module use` that lets the module system find it. */
  use: string;
}

export interface IPackage {
  name: string;
  version: string;
  source: string;
  /** Seen, and not the environment's own to change; left out: its own. */
  inherited?: boolean;
  /** Which other package of this name it hides, or is hidden by. */
  note?: string;
}

export function isFinished(operation: IOperation): boolean {
  return operation.state !== 'pending' && operation.state !== 'running';
}
