/** What the list shows: groups of rows, made of environments and of operations that have none yet. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { minor, plain } from '../format';
import type { EnvironmentsModel } from '../model';
import { missingModules, placeWord, stateWord } from '../environment/states';
import { doingWord, isBuild } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';

export type GroupId = 'own' | 'shared' | 'foreign';

export interface IRow {
  /** Of the environment, or of the operation where there is no environment; unique in the list. */
  key: string;
  group: GroupId;
  name: string;
  environment?: IEnvironment;
  operation?: IOperation;
  /** Kernels running on this server. */
  running: number;
  kind: 'ready' | 'running' | 'failed' | 'trouble';
  /** The words of the second line: what is strong, then the rest. */
  strong: string;
  rest: string;
  /** Right of the name, such as `3/7`. */
  tag: string;
  /** Share of the steps that are done; null without an operation. */
  done: number | null;
  /** What ears get. */
  label: string;
  /** What the filter looks through. */
  words: string;
}

export interface IGroup {
  id: GroupId;
  title: string;
  rows: IRow[];
  open: boolean;
}

type Lists = Pick<EnvironmentsModel, 'environments' | 'operations' | 'kernelsRunning'>;

/** Operations that stand in the list: those that run, and the newest failure of each name without an environment. */
function shownOperations(lists: Lists): IOperation[] {
  const ids = new Set(lists.environments.map(environment => environment.id));
  const places = new Set(lists.environments.map(environment => `${environment.location}/${environment.name}`));
  const seen = new Set<string>();
  const shown: IOperation[] = [];
  for (const operation of lists.operations) {
    const { id, name, location } = operation.environment;
    const place = `${location}/${name}`;
    const newest = !seen.has(place);
    seen.add(place);
    if (!isFinished(operation)) {
      shown.push(operation);
    } else if (
      newest &&
      operation.verb === 'create' &&
      (operation.state === 'failed' || operation.state === 'interrupted') &&
      !ids.has(id) &&
      !places.has(place)
    ) {
      shown.push(operation);
    }
  }
  return shown;
}

export function makeRows(lists: Lists, trans: TranslationBundle): IRow[] {
  const operations = shownOperations(lists);
  const byEnvironment = new Map(operations.map(operation => [operation.environment.id, operation]));
  const rows = lists.environments.map(environment =>
    environmentRow(environment, byEnvironment.get(environment.id), lists.kernelsRunning(environment), trans)
  );
  const ids = new Set(lists.environments.map(environment => environment.id));
  for (const operation of operations) {
    if (!ids.has(operation.environment.id)) {
      rows.push(operationRow(operation, undefined, 0, trans));
    }
  }
  return rows.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true, sensitivity: 'base' }));
}

function environmentRow(
  environment: IEnvironment,
  operation: IOperation | undefined,
  running: number,
  trans: TranslationBundle
): IRow {
  if (operation) {
    return operationRow(operation, environment, running, trans);
  }
  const state = stateWord(environment.state, trans);
  const missing = environment.state === 'module_missing' ? missingModules(environment.message) : '';
  const python = environment.python ? trans.__('Python %1', minor(environment.python)) : '';
  const facts = [python, environment.manager, placeWord(environment, trans)].filter(Boolean);
  const kernels = running > 0 ? trans._n('%1 kernel running', '%1 kernels running', running) : '';
  return {
    key: environment.id,
    group: environment.origin === 'adopted' ? 'foreign' : environment.origin,
    name: plain(environment.name),
    environment,
    running,
    kind: state ? 'trouble' : 'ready',
    strong: missing ? trans.__('%1:', state) : state,
    rest: state ? plain(missing || environment.python) : facts.map(plain).join(' · '),
    tag: '',
    done: null,
    label: [environment.name, [state || trans.__('ready'), missing].filter(Boolean).join(' '), kernels, ...facts].filter(Boolean).join(', '),
    words: [environment.name, environment.display_name, state || trans.__('ready'), missing, environment.owner, environment.python, ...facts]
      .join(' ')
      .toLowerCase()
  };
}

function operationRow(
  operation: IOperation,
  environment: IEnvironment | undefined,
  running: number,
  trans: TranslationBundle
): IRow {
  const { name, location } = operation.environment;
  const step = operation.steps[operation.step - 1];
  const all = operation.steps.length;
  const base = { key: environment?.id ?? operation.id, group: 'own' as const, name: plain(name), environment, operation, running };
  const words = (state: string): string => `${name} ${location} ${state} ${environment?.display_name ?? ''}`.toLowerCase();
  if (isFinished(operation)) {
    const interrupted = operation.state === 'interrupted';
    const strong = interrupted ? trans.__('Interrupted') : trans.__('Failed:');
    const why = interrupted ? (step ? trans.__('stopped at step %1', operation.step) : '') : plain(operation.error?.message ?? '');
    const rest = interrupted && why ? `· ${why}` : why;
    return { ...base, kind: 'failed', strong, rest, tag: '', done: null, label: `${name}, ${strong} ${why}`, words: words(strong) };
  }
  const at = operation.cancelling ? trans.__('Cancelling') : step ? step.title : trans.__('Waiting to begin');
  const verb = doingWord(operation, trans);
  const label = step ? trans.__('%1, %2, step %3 of %4, %5', name, verb, operation.step, all, at) : trans.__('%1, %2, %3', name, verb, at);
  return {
    ...base,
    kind: 'running',
    strong: at,
    // a build is what a row means that has no environment yet
    rest: isBuild(operation) ? '' : `· ${verb}`,
    tag: step ? `${operation.step}/${all}` : '',
    done: operation.steps.filter(other => other.state === 'done').length / (all || 1),
    label,
    words: words(verb)
  };
}

export function filterWords(query: string): string[] {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

/** Rows in their groups; every word of the filter must match, and a filter unfolds all. */
export function makeGroups(
  rows: IRow[],
  query: string,
  folded: ReadonlySet<GroupId>,
  foreign: boolean,
  trans: TranslationBundle
): IGroup[] {
  const words = filterWords(query);
  const titles: [GroupId, string][] = [
    ['own', trans.__('Mine')],
    ['shared', trans.__('Shared with me')],
    ['foreign', trans.__('Found elsewhere')]
  ];
  return titles
    .filter(([id]) => foreign || id !== 'foreign')
    .map(([id, title]) => ({
      id,
      title,
      open: words.length > 0 || !folded.has(id),
      rows: rows.filter(row => row.group === id && words.every(word => row.words.includes(word)))
    }))
    .filter(group => group.rows.length > 0);
}

/** The word without which most would match, and how many; null where leaving out one word does not help. */
export function looseWord(rows: IRow[], query: string): { word: string; count: number } | null {
  const words = filterWords(query);
  if (words.length < 2) {
    return null;
  }
  const counts = words.map(word => {
    const others = words.filter(other => other !== word);
    return { word, count: rows.filter(row => others.every(other => row.words.includes(other))).length };
  });
  const best = counts.reduce((a, b) => (b.count > a.count ? b : a));
  return best.count > 0 ? best : null;
}
