/** The form's content as data: what it means as a request, and what is wrong with it. Pure, so that tests need no page. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import { IBatchRequest, jobOf } from '../batch';
import { minor, plain } from '../format';
import type { ICreateRequest, IEnvironment, ILocation, IOperation, IPythonFact, ISite, Language } from '../tokens';
import { nameIn } from './described';
import { chosenManager } from './managers';
import { checkChannel } from './specs';

export interface IVariable {
  name: string;
  value: string;
}

export interface Draft {
  /** Changes when the form is filled anew. */
  key: string;
  /** Sent with the request: the same form is submitted once, however often its button is pressed. */
  idempotency: string;
  start: 'preset' | 'scratch' | 'file';
  /** The preset that filled the form, and its parameters; empty: none did. */
  preset: string;
  parameters: Record<string, unknown>;
  /** What a preset says and no field shows. */
  beside: Pick<ICreateRequest, 'creator' | 'extras' | 'groups'>;
  /** Id of the environment of which this is a copy, which then says all but name, place and kernel; empty: of none. */
  cloneOf: string;
  name: string;
  /** Empty for the site's first. */
  manager: string;
  /** That of the manager: what packages, Python and the file mean. */
  language: Language;
  /** A path or version, or a version alone where it is a package; empty for the site's first, or the newest. */
  python: string;
  packages: string[];
  /** Packages that another manager's language has, kept for when that is chosen again. */
  aside: string[];
  requirements: string;
  /** Text of a file of conda's. */
  file: string;
  /** What the chosen file was called; empty for pasted text. */
  fileName: string;
  /** Best first; empty for those that are configured. */
  channels: string[];
  /** The CUDA version of the computer that it is for; null: as this computer has it. */
  cuda: string | null;
  /** Other virtual packages that a request named. */
  virtual: Record<string, string>;
  /** In load order; empty while a collection is chosen. */
  modules: string[];
  collection: string;
  location: string;
  variables: IVariable[];
  buildVariables: IVariable[];
  installer: string;
  /** Null: the server decides by the modules. */
  systemSitePackages: boolean | null;
  displayName: string;
  kernel: boolean;
  /** The profile of the job in which the kernel runs; empty: beside the server. */
  profile: string;
  /** What a job asks for that builds it; null: it is built where the site builds. */
  on: IBatchRequest | null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function rows(value: unknown): IVariable[] {
  return value && typeof value === 'object' && !Array.isArray(value)
    ? Object.entries(value).map(([name, each]) => ({ name, value: text(each) }))
    : [];
}

/**
 * Return a form filled with what *start* says.
 *
 * Anybody may have written *start* (a command's arguments, an old request): only fields of the right
 * type are taken, and nothing is submitted by it.
 */
export function newDraft(start: Partial<ICreateRequest> = {}, from?: Draft['start'], fileName = ''): Draft {
  const collection = text(start.collection);
  const file = text(start.file);
  const virtual = rows(start.virtual_packages).map(({ name, value }): [string, string] => [name.replace(/^__/, ''), value]);
  const cloneOf = text(start.clone_of);
  const ofConda = !cloneOf && (text(start.manager) === 'conda' || file !== '' || texts(start.channels).length > 0);
  return {
    key: UUID.uuid4(),
    idempotency: UUID.uuid4(),
    start: from ?? (text(start.requirements) || file ? 'file' : 'scratch'),
    preset: '',
    parameters: {},
    beside: {},
    cloneOf,
    name: text(start.name) || nameIn(file),
    // a copy has that of its source
    manager: cloneOf ? '' : text(start.manager),
    // a guess; the form knows once it knows the site
    language: ofConda ? 'conda' : 'pep508',
    python: text(start.python),
    packages: texts(start.packages),
    aside: [],
    requirements: text(start.requirements),
    file,
    fileName,
    channels: [...new Set(texts(start.channels))],
    cuda: virtual.find(([name]) => name === 'cuda')?.[1] ?? null,
    virtual: Object.fromEntries(virtual.filter(([name]) => name !== 'cuda')),
    modules: collection ? [] : [...new Set(texts(start.modules))],
    collection,
    location: text(start.location),
    variables: rows(start.variables),
    buildVariables: rows(start.build_variables),
    installer: text(start.installer),
    systemSitePackages: typeof start.system_site_packages === 'boolean' ? start.system_site_packages : null,
    displayName: text(start.display_name),
    kernel: start.kernel !== false,
    profile: text(start.profile),
    on: jobOf(start.on)
  };
}

/** What the form means; fields at their default are left out, so that the site's default counts. */
export function toRequest(draft: Draft): ICreateRequest {
  const request: ICreateRequest = { name: draft.name };
  const put = <K extends keyof ICreateRequest>(key: K, value: ICreateRequest[K], wanted: unknown): void => {
    if (wanted) {
      request[key] = value;
    }
  };
  const named = (all: IVariable[]): [string, string][] =>
    all.filter(each => each.name || each.value).map(({ name, value }) => [name, value]);
  const variables = named(draft.variables);
  const build = named(draft.buildVariables);
  const conda = draft.language === 'conda';
  const file = draft.start === 'scratch' ? '' : fileText(draft);
  if (draft.cloneOf) {
    request.clone_of = draft.cloneOf;
    put('location', draft.location, draft.location);
    put('variables', Object.fromEntries(variables), variables.length);
    put('display_name', draft.displayName, draft.displayName);
    put('kernel', false, !draft.kernel);
    return request;
  }
  put('manager', draft.manager, draft.manager);
  put('python', draft.python.trim(), draft.python.trim());
  put('packages', draft.packages, draft.packages.length);
  put(conda ? 'file' : 'requirements', file, file.trim());
  if (conda) {
    const virtual = { ...draft.virtual, ...(draft.cuda === null ? {} : { cuda: draft.cuda.trim() }) };
    put('channels', draft.channels, draft.channels.length);
    put('virtual_packages', virtual, Object.keys(virtual).length);
  }
  put('modules', draft.modules, draft.modules.length);
  put('collection', draft.collection, draft.collection);
  put('location', draft.location, draft.location);
  put('installer', draft.installer, draft.installer && !conda);
  put('system_site_packages', draft.systemSitePackages, draft.systemSitePackages !== null && !conda);
  put('variables', Object.fromEntries(variables), variables.length);
  put('build_variables', Object.fromEntries(build), build.length);
  put('display_name', draft.displayName, draft.displayName);
  put('kernel', false, !draft.kernel);
  put('profile', draft.profile, draft.kernel && draft.profile);
  put('on', draft.on, draft.on);
  return { ...draft.beside, ...request };
}

/** What stands in the field for a file: which one that is depends on the manager. */
export function fileText(draft: Draft): string {
  return draft.language === 'conda' ? draft.file : draft.requirements;
}

/** The change that another text in that field means; a name that came from the text before follows it. */
export function withFile(draft: Draft, file: string, fileName: string): Partial<Draft> {
  if (draft.language !== 'conda') {
    return { requirements: file, fileName };
  }
  const follows = draft.name === '' || draft.name === nameIn(draft.file);
  return { file, fileName, ...(follows ? { name: nameIn(file) } : {}) };
}

/** The location that a request without one goes to. */
export function chosenLocation(draft: Draft, site: ISite | null): ILocation | undefined {
  const locations = site?.locations ?? [];
  return draft.location
    ? locations.find(location => location.name === draft.location)
    : (locations.find(location => location.default) ?? locations[0]);
}

export type Field =
  | 'requirements'
  | 'name'
  | 'manager'
  | 'python'
  | 'channels'
  | 'packages'
  | 'cuda'
  | 'modules'
  | 'location'
  | 'variables'
  | 'options'
  | 'on'
  | 'build';

/** What is said under the name: that it is free, or why it can not be taken. */
export interface INameCheck {
  ok: boolean;
  text: string;
}

/** What the launcher shows unless the person says otherwise; as the server makes it. */
export function defaultTitle(draft: Draft, site: ISite | null): string {
  if (draft.cloneOf) {
    return '';
  }
  if (draft.language === 'conda') {
    const version = /^\d+\.\d+/.exec(draft.python.trim())?.[0];
    return version ? `${draft.name} (Python ${version})` : '';
  }
  const python = chosenPython(draft, site)?.version ?? (/^\d+\.\d+/.test(draft.python) ? draft.python : '');
  return python ? `${draft.name} (Python ${minor(python)})` : draft.name;
}

/** The Python of the site's list that the form means; undefined where another one was typed. */
export function chosenPython(draft: Draft, site: ISite | null): IPythonFact | undefined {
  const pythons = site?.pythons ?? [];
  return draft.python
    ? pythons.find(python => python.path === draft.python)
    : (pythons.find(python => python.default) ?? pythons[0]);
}

const PATTERN = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}';

export function checkName(
  draft: Draft,
  site: ISite | null,
  environments: readonly IEnvironment[],
  operations: readonly IOperation[],
  trans: TranslationBundle
): INameCheck {
  const { name } = draft;
  const wrong = (said: string): INameCheck => ({ ok: false, text: said });
  if (!name) {
    return wrong(trans.__('An environment needs a name.'));
  }
  if (name.length > 63) {
    return wrong(trans.__('At most 63 characters; this has %1.', name.length));
  }
  if (!new RegExp(`^(?:${site?.name_pattern || PATTERN})$`).test(name)) {
    return wrong(
      /^[A-Za-z0-9]/.test(name)
        ? trans.__('Use letters, digits, . _ -')
        : trans.__('Begin with a letter or digit; then letters, digits, . _ -')
    );
  }
  const folded = name.toLowerCase();
  if (folded.startsWith('conda-') || (site?.reserved_names ?? []).includes(folded)) {
    return wrong(trans.__('“%1” is reserved, because Jupyter or conda uses it for something else.', name));
  }
  const place = chosenLocation(draft, site)?.name ?? draft.location;
  const taken =
    environments.find(other => other.origin === 'own' && other.location === place && other.name.toLowerCase() === folded)?.name ??
    operations.find(
      other =>
        (other.state === 'pending' || other.state === 'running') &&
        other.environment.location === place &&
        other.environment.name.toLowerCase() === folded
    )?.environment.name;
  if (taken === name) {
    return wrong(trans.__('Taken: you have %1 in %2.', taken, place));
  }
  if (taken !== undefined) {
    return wrong(trans.__('Differs from %1 only by case; kernels cannot.', taken));
  }
  if (!draft.kernel) {
    return { ok: true, text: place ? trans.__('Free in %1.', place) : trans.__('Free.') };
  }
  const shown = draft.displayName || defaultTitle(draft, site);
  if (!shown) {
    return { ok: true, text: place ? trans.__('Free in %1.', place) : trans.__('Free.') };
  }
  return {
    ok: true,
    text: place
      ? trans.__('Free in %1. The launcher will show “%2”.', place, shown)
      : trans.__('Free. The launcher will show “%1”.', shown)
  };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Why a row of the variables can not be sent; empty if it can. */
export function checkVariable(variable: IVariable, all: IVariable[], trans: TranslationBundle): string {
  if (!variable.name && !variable.value) {
    return '';
  }
  if (!VARIABLE.test(variable.name)) {
    return trans.__('Name it with letters, digits and underscore.');
  }
  if (all.filter(other => other.name === variable.name).length > 1) {
    return trans.__('%1 is there twice.', variable.name);
  }
  return '';
}

/** What is wrong before anything is sent, by field, in the order of the page. */
export function problems(
  draft: Draft,
  name: INameCheck,
  site: ISite | null,
  trans: TranslationBundle
): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {};
  if (!name.ok) {
    found.name = name.text;
  }
  if (!draft.cloneOf && draft.start === 'file' && !fileText(draft).trim()) {
    found.requirements = trans.__('Choose a file, or paste its lines.');
  }
  if (site && !draft.cloneOf && !chosenManager(draft, site)) {
    found.manager = trans.__('There is no manager “%1” here. Choose another one.', plain(draft.manager));
  }
  if (draft.language === 'conda' && !draft.cloneOf) {
    Object.assign(found, condaProblems(draft, trans));
  }
  const location = chosenLocation(draft, site);
  if (location && (location.state === 'missing' || location.state === 'unwritable')) {
    found.location = location.message || trans.__('Nothing can be put into %1 now. Choose another location.', location.name);
  }
  const wrong = (rows: IVariable[]): string | undefined => rows.map(row => checkVariable(row, rows, trans)).find(Boolean);
  const [variable, build] = [wrong(draft.variables), wrong(draft.buildVariables)];
  if (variable) {
    found.variables = variable;
  }
  if (build) {
    found.build = build;
  }
  return found;
}

function condaProblems(draft: Draft, trans: TranslationBundle): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {};
  const channel = draft.channels.map(each => checkChannel(each, trans)).find(Boolean);
  if (draft.python.trim() && !/^\d+(\.\d+){0,2}$/.test(draft.python.trim())) {
    found.python = trans.__('Give a version such as 3.12: this Python is a package of the channels.');
  }
  if (channel) {
    found.channels = channel;
  }
  if (draft.cuda !== null && !/^\d+(\.\d+){0,2}$/.test(draft.cuda.trim())) {
    found.cuda = trans.__('Say which CUDA version the driver of that computer supports, such as 12.4.');
  }
  return found;
}

/** The field of *draft* that an error of the server is about; undefined where it is about none. */
export function fieldOf(code: string, draft: Draft): Field | undefined {
  const field = fieldOfCode(code);
  if (draft.cloneOf && field !== 'name' && field !== 'location' && field !== 'variables') {
    return undefined;
  }
  if (field === 'packages' && (draft.start === 'file' || (draft.start === 'preset' && fileText(draft))) && draft.packages.length === 0) {
    return 'requirements';
  }
  if (field === 'options' && draft.manager) {
    return 'manager';
  }
  return field === 'variables' && draft.variables.length === 0 && draft.buildVariables.length > 0 ? 'build' : field;
}

function fieldOfCode(code: string): Field | undefined {
  const fields: Record<string, Field> = {
    invalid_name: 'name',
    name_taken: 'name',
    busy: 'name',
    python_not_found: 'python',
    invalid_requirement: 'packages',
    package_not_found: 'packages',
    requirements_conflict: 'packages',
    no_module_system: 'modules',
    module_not_found: 'modules',
    module_conflict: 'modules',
    module_failed: 'modules',
    location_unavailable: 'location',
    disk_full: 'location',
    path_too_long: 'location',
    invalid_variable: 'variables',
    manager_not_found: 'options',
    batch_refused: 'on',
    batch_unavailable: 'on'
  };
  return fields[code];
}
