/** The page of an environment: how it is, where it can be used, what is in it. */
import { ellipsesIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import React from 'react';
import { canClone, canDelete, canShare, publishedKernel } from '../actions';
import { toldOf } from '../create/preview';
import { minor, plain } from '../format';
import { layersIcon } from '../icons';
import { asError } from '../request';
import { doingWord, isBuild } from '../operation/verbs';
import { ICreateRequest, IEnvironmentDetail, IManagerFacts, IPackage, isFinished, Language } from '../tokens';
import { Blank, Callout, Tabs, Trouble } from '../ui/blocks';
import { ILoaded, useDelay, useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button, IconButton } from '../ui/controls';
import { PageHead } from '../ui/head';
import { Acted, useActed } from './acted';
import { Activate } from './activate';
import { Export } from './export';
import { History } from './history';
import { Kernels } from './kernels';
import { Modules } from './modules';
import { MoveForm } from './move';
import { Overview } from './overview';
import { Packages } from './packages';
import { useChanging } from './changing';
import { planTold } from './change-plan';
import { ShareForm } from './sharing';
import { placeWord } from './states';

export type Tab = 'overview' | 'packages' | 'kernels' | 'modules' | 'activate' | 'export' | 'history';

/** A tab that was asked for from elsewhere; each asking is an object of its own. */
export interface ITurn {
  tab: Tab;
}

export interface IEnvironmentPageProps {
  id: string;
  arrived: boolean;
  turn?: ITurn;
  onClose: () => void;
}

export function EnvironmentPage(props: IEnvironmentPageProps): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const { id } = props;
  const row = model.environment(id);
  // a change of the row means that the rest may have changed as well, and so does the end of an operation
  const changed = model.operations
    .filter(each => each.environment.id === id && !isBuild(each) && isFinished(each))
    .reduce((last, each) => (each.id > last ? each.id : last), '');
  const detail = useLoaded(() => model.api.environment(id), `${id} ${JSON.stringify(row)} ${changed}`);
  const late = useDelay(200);
  const shown = React.useRef<IEnvironmentDetail | null>(null);
  shown.current = detail.value ?? (detail.error ? null : shown.current);
  if (detail.error && asError(detail.error).status === 404) {
    return <Gone id={id} onClose={props.onClose} />;
  }
  if (detail.error && !shown.current) {
    return (
      <div className="jp-HpcEnv jp-HpcEnv-page">
        <Trouble level={1} title={trans.__('The environment could not be read')} error={detail.error} onRetry={detail.reload} />
      </div>
    );
  }
  if (!shown.current) {
    return (
      <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy="true">
        {late && <Blank level={1} title={trans.__('Reading…')} text={[]} role="status" />}
      </div>
    );
  }
  return (
    <Shown
      environment={shown.current}
      changed={changed}
      arrived={props.arrived}
      turn={props.turn}
      onChanged={detail.reload}
    />
  );
}

function Shown(props: {
  environment: IEnvironmentDetail;
  /** The operation that ended last; empty while none did. */
  changed: string;
  arrived: boolean;
  turn?: ITurn;
  /** Reads the environment again. */
  onChanged: () => void;
}): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment, turn } = props;
  const [wanted, setTab] = React.useState<Tab>('overview');
  // the modules while they are changed: kept here, because a look at another tab must not lose them
  const [edit, setEdit] = React.useState<string[] | null>(null);
  // what to know of the last edit
  const [warnings, setWarnings] = React.useState<string[]>([]);
  const packages: ILoaded<IPackage[]> = useLoaded(
    () => model.api.packages(environment.id),
    `${environment.id} ${environment.revision} ${props.changed}`
  );
  const changing = useChanging(environment.id, preview => {
    const told = preview.is === 'done' ? planTold(preview.plan, trans) : toldOf(preview, trans);
    if (preview.is === 'failed') {
      actions.announcer.alert(told);
    } else {
      actions.announcer.say(told);
    }
  });
  const acted = useActed(environment.id);
  // what the menu opened over the overview
  const [asking, setAsking] = React.useState<Asking | null>(null);
  const id = `hpcenv-${environment.id}`;
  const modules = (environment.modules?.load.length ?? 0) > 0 || (environment.origin === 'own' && model.modules.present);
  const exportable = environment.origin !== 'foreign' && (environment.state === 'ready' || environment.state === 'module_missing');
  const own = environment.origin === 'own';
  const there = { modules, export: exportable, history: own }[wanted as string] ?? true;
  const tab = there ? wanted : 'overview';
  React.useEffect(() => {
    void model.modules.refresh();
  }, [model]);
  React.useEffect(() => {
    if (turn) {
      setTab(turn.tab);
      requestAnimationFrame(() => document.getElementById(`${id}-tab-${turn.tab}`)?.focus());
    }
  }, [id, turn]);
  const running = model.kernelsRunning(environment);
  const usable = environment.state === 'ready' || environment.state === 'newer';
  const operation = model.running.find(each => each.environment.id === environment.id);
  const asked = canShare(environment) && !operation ? asking : null;
  const closed = (): void => {
    setAsking(null);
    document.getElementById(`${id}-more`)?.focus();
  };
  const facts = [
    trans.__('Python %1', environment.python),
    environment.manager,
    placeWord(environment, trans),
    running > 0 ? trans._n('%1 kernel running', '%1 kernels running', running) : '',
    operation ? doingWord(operation, trans) : ''
  ];
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page">
      <PageHead
        name={environment.name}
        text={facts.filter(Boolean).join(' · ')}
        arrived={props.arrived}
        actions={
          <>
            {usable && publishedKernel(environment) && actions.canOpenNotebook && (
              <Button kind="accept" onClick={() => void actions.newNotebook(environment)}>
                {trans.__('New notebook')}
              </Button>
            )}
            {usable && actions.canOpenTerminal && (
              <Button onClick={() => void actions.openTerminal(environment)}>{trans.__('Open terminal')}</Button>
            )}
            <More
              id={`${id}-more`}
              environment={environment}
              onAsk={what => {
                setTab('overview');
                setAsking(what);
              }}
            />
          </>
        }
      />
      <Tabs<Tab>
        id={id}
        label={environment.name}
        tabs={[
          { value: 'overview', label: trans.__('Overview') },
          { value: 'packages', label: trans.__('Packages'), count: packages.value?.filter(each => !each.inherited).length },
          { value: 'kernels', label: trans.__('Kernels'), count: environment.kernels.length },
          ...(modules ? [{ value: 'modules' as const, label: trans.__('Modules'), count: environment.modules?.load.length ?? 0 }] : []),
          { value: 'activate', label: trans.__('Activate') },
          ...(exportable ? [{ value: 'export' as const, label: trans.__('Export') }] : []),
          ...(own ? [{ value: 'history' as const, label: trans.__('History') }] : [])
        ]}
        value={tab}
        onChange={setTab}
      />
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-tab-${tab}`} tabIndex={-1}>
        {tab === 'overview' && asked === 'share' && <ShareForm environment={environment} onClose={closed} onDone={() => setAsking(null)} onMove={() => setAsking('move')} />}
        {tab === 'overview' && asked === 'move' && <MoveForm environment={environment} onClose={closed} onDone={() => setAsking(null)} />}
        {tab === 'overview' && <Acted environment={environment} acted={acted} />}
        {tab === 'overview' && <Overview environment={environment} onModules={() => setTab('modules')} />}
        {warnings.length > 0 && (
          <div className="jp-HpcEnv-warnings">
            <Warnings warnings={warnings} onClose={() => setWarnings([])} />
          </div>
        )}
        {tab === 'packages' && (
          <Packages
            environment={environment}
            packages={packages}
            changing={changing}
            language={languageOf(environment, model.site?.managers ?? [])}
            onModules={modules ? () => setTab('modules') : undefined}
          />
        )}
        {tab === 'kernels' && <Kernels environment={environment} />}
        {tab === 'modules' && (
          <Modules
            environment={environment}
            edit={edit}
            onEdit={setEdit}
            onChanged={told => {
              setWarnings(told);
              props.onChanged();
            }}
          />
        )}
        {tab === 'activate' && <Activate environment={environment} />}
        {tab === 'export' && <Export environment={environment} />}
        {tab === 'history' && (
          <History
            environment={environment}
            changed={props.changed}
            onUndone={operation => {
              // it is followed where changes of packages are
              changing.watch(operation.id);
              setTab('packages');
            }}
          />
        )}
      </div>
    </div>
  );
}

/** How packages of an environment are asked for; null where they can not be changed. */
export function languageOf(environment: IEnvironmentDetail, managers: readonly IManagerFacts[]): Language | null {
  const known: Record<string, Language> = { venv: 'pep508', conda: 'conda' };
  const language = managers.find(each => each.name === environment.manager)?.language ?? known[environment.manager];
  const changeable = environment.origin === 'own' && environment.state === 'ready' && environment.manager !== 'modules';
  return changeable && language ? language : null;
}

/** What a server wants known of an edit that it made. */
function Warnings(props: { warnings: string[]; onClose: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <Callout
      kind="warn"
      role="status"
      actions={
        <Button size="small" onClick={props.onClose}>
          {trans.__('Close')}
        </Button>
      }
    >
      <b>{trans.__('To know of the last change')}</b>
      {props.warnings.map(text => (
        <p key={text}>{plain(text)}</p>
      ))}
    </Callout>
  );
}

/** What a menu item asks in a form over the overview. */
type Asking = 'share' | 'move';

/** What is done rarely: kept out of the way, in one menu. */
function More(props: { id: string; environment: IEnvironmentDetail; onAsk: (what: Asking) => void }): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment } = props;
  const open = (event: React.MouseEvent): void => {
    // a registry of its own: nothing here can be called by a notebook
    const commands = new CommandRegistry();
    const menu = new Menu({ commands });
    const add = (name: string, label: string, execute: () => void): void => {
      commands.addCommand(name, { label, execute });
      menu.addItem({ command: name });
    };
    add('copy', trans.__('Copy activation'), () => void actions.copyActivation(environment));
    add('again', trans.__('New environment like this…'), () => actions.pages?.create(likeThis(environment, model.site?.managers ?? [])));
    if (canClone(environment)) {
      add('clone', trans.__('Clone…'), () => actions.pages?.create({ clone_of: environment.id }));
    }
    if (canShare(environment)) {
      menu.addItem({ type: 'separator' });
      add('share', trans.__('Share…'), () => props.onAsk('share'));
      add('move', trans.__('Move to…'), () => props.onAsk('move'));
    }
    if (canDelete(environment)) {
      menu.addItem({ type: 'separator' });
      add('delete', trans.__('Delete'), () => void actions.remove([environment]));
    }
    const place = event.currentTarget.getBoundingClientRect();
    menu.aboutToClose.connect(() => window.setTimeout(() => menu.dispose(), 500));
    menu.open(place.left, place.bottom);
  };
  return <IconButton id={props.id} icon={ellipsesIcon} label={trans.__('More actions')} aria-haspopup="menu" onClick={open} />;
}

/** A request for the same; *managers* are those of the site, for others have no word here. */
export function likeThis(environment: IEnvironmentDetail, managers: readonly IManagerFacts[]): Partial<ICreateRequest> {
  const manager = managers.find(each => each.name === environment.manager);
  const conda = manager?.language === 'conda';
  return {
    manager: manager && manager !== managers[0] ? manager.name : '',
    python: conda ? minor(environment.python) : environment.python_path || environment.python,
    channels: conda ? environment.channels : [],
    packages: environment.packages,
    location: environment.location === 'elsewhere' ? '' : environment.location,
    variables: environment.variables,
    build_variables: environment.build_variables,
    modules: environment.modules?.load,
    // what the modules decided is said, so that it stays as it is
    system_site_packages: environment.system_site_packages || (environment.modules ? false : null)
  };
}

/** In place of an environment that is not there: deleted here or elsewhere, and perhaps still in the trash. */
function Gone(props: { id: string; onClose: () => void }): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const trash = useLoaded(() => model.api.trash(), props.id);
  const item = trash.value?.find(other => other.id === props.id);
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy={!trash.value && !trash.error}>
      <Blank
        level={1}
        icon={layersIcon}
        title={item ? trans.__('%1 was deleted', item.name) : trans.__('This environment is gone')}
        text={[
          item
            ? trans.__('It is in the trash and can be put back where it was.')
            : trans.__('It was deleted or moved, and is not in the trash.')
        ]}
        actions={
          <>
            {item && (
              <Button kind="accept" onClick={() => void actions.restore([item])}>
                {trans.__('Restore')}
              </Button>
            )}
            <Button onClick={props.onClose}>{trans.__('Close this page')}</Button>
          </>
        }
      />
    </div>
  );
}
