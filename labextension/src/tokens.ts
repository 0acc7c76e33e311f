/** The words of the REST interface as types, and the names by which other parts find this extension. */
import { Token } from '@lumino/coreutils';
import type { EnvironmentsModel } from './model';

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
  export const open = 'hpcenv:open';
  export const refresh = 'hpcenv:refresh';
}

export type EnvironmentState = 'ready' | 'missing' | 'python_gone' | 'broken' | 'newer' | 'slow';
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
  origin: 'own' | 'shared' | 'foreign';
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
  variables: Record<string, string>;
  platform: { cluster: string; os: string; arch: string } | null;
  created: string;
  changed: string;
  operation: string;
  preflight: { kind: 'kernel' | 'import'; seconds: number; at: string } | null;
  revision: number;
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
  creator?: string;
  system_site_packages?: boolean;
  variables?: Record<string, string>;
  display_name?: string;
  kernel?: boolean;
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
  request: Partial<ICreateRequest>;
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
}

export interface IManagerFacts {
  name: string;
  creators: string[];
  installers: string[];
  default_creator: string;
  default_installer: string;
  /** Why the defaults are what they are. */
  reason: string;
}

export interface ISite {
  version: string;
  user: string;
  host: string;
  cluster: string;
  managers: IManagerFacts[];
  pythons: IPythonFact[];
  locations: ILocation[];
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

export interface IActivation {
  dialect: string;
  command: string;
}

export interface IPackage {
  name: string;
  version: string;
  source: string;
}

export function isFinished(operation: IOperation): boolean {
  return operation.state !== 'pending' && operation.state !== 'running';
}
