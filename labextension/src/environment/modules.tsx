/** The modules of an environment: which, what they brought, what has changed since, and the way to change them. */
import React from 'react';
import { plain } from '../format';
import { warnIcon } from '../icons';
import { Chain } from '../modules/chain';
import { IChecked, useModuleCheck } from '../modules/check';
import { ModulePicker } from '../modules/picker';
import { Messages } from '../modules/said';
import { asError } from '../request';
import type { ICapturedModule, IDrift, IEnvironmentDetail } from '../tokens';
import { Blank, Callout } from '../ui/blocks';
import { useHpcEnv, useModel } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { driftOf, driftWord } from './states';

export interface IModulesProps {
  environment: IEnvironmentDetail;
  /** What is being chosen; null while nobody changes anything. It lives in the page, so that other tabs keep it. */
  edit: string[] | null;
  onEdit: (edit: string[] | null) => void;
  /** Called when the modules are others, with what to know of that. */
  onChanged: (warnings: string[]) => void;
}

export function Modules(props: IModulesProps): JSX.Element {
  const { trans } = useHpcEnv();
  const catalog = useModel().modules;
  const { environment, edit } = props;
  const { modules } = environment;
  const drift = driftOf(environment);
  const load = modules?.load ?? [];
  const changeable = environment.origin === 'own' && catalog.present;
  const change = changeable && (
    <Button size="small" onClick={() => props.onEdit(load)}>
      {load.length > 0 ? trans.__('Change…') : trans.__('Choose modules…')}
    </Button>
  );
  if (edit && changeable) {
    return <Edit {...props} edit={edit} />;
  }
  if (!modules || load.length === 0) {
    return <Blank text={[trans.__('It loads no modules: its kernel and its shells see what the machine has without them.')]} actions={change} />;
  }
  const marks = new Map(drift.map(each => [each.module, driftWord(each.what, trans)]));
  return (
    <div className="jp-HpcEnv-packages">
      {drift.length > 0 && <Drift drift={drift} />}
      <section className="jp-HpcEnv-section" aria-label={trans.__('Loaded in this order')}>
        <header>
          <h2>{trans.__('Loaded in this order')}</h2>
          <span className="jp-HpcEnv-push">{change}</span>
        </header>
        <Chain modules={load} marks={marks} />
        <p className="jp-HpcEnv-hint">
          {[modules.system === 'tcl' ? 'Environment Modules' : 'Lmod', modules.version].filter(Boolean).map(plain).join(' ')}
        </p>
      </section>
      {Object.entries(modules.loaded).map(([target, brought]) => (
        <Brought key={target} target={target} modules={brought} asked={load} marks={marks} />
      ))}
      {modules.messages.length > 0 && <Messages messages={modules.messages} />}
    </div>
  );
}

function Drift(props: { drift: IDrift[] }): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <Callout kind="warn">
      <b>{trans._n('%1 module is not as it was', '%1 modules are not as they were', props.drift.length)}</b>
      <ul>
        {props.drift.map(each => (
          <li key={`${each.module} ${each.what}`}>{plain(each.message || `${each.module}: ${driftWord(each.what, trans)}`)}</li>
        ))}
      </ul>
    </Callout>
  );
}

/** All that loading brings, dependencies too, on one kind of machine. */
function Brought(props: {
  target: string;
  modules: ICapturedModule[];
  asked: string[];
  marks: ReadonlyMap<string, string>;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const title = trans.__('What they bring on %1', plain(props.target));
  return (
    <section className="jp-HpcEnv-section" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      <table className="jp-HpcEnv-table jp-mod-plain">
        <thead>
          <tr>
            <th scope="col">{trans.__('Module')}</th>
            <th scope="col">{trans.__('Asked by')}</th>
            <th scope="col" className="jp-HpcEnv-optional">
              {trans.__('Modulefile')}
            </th>
          </tr>
        </thead>
        <tbody>
          {props.modules.map(module => {
            const mark = props.marks.get(module.name);
            return (
              <tr key={module.name}>
                <td>
                  <span className="jp-HpcEnv-tag">
                    {mark && <Icon icon={warnIcon} kind="warn" />}
                    {plain(module.name)}
                    {mark && <span> {mark}</span>}
                  </span>
                </td>
                <td className="jp-HpcEnv-muted">{props.asked.includes(module.name) ? trans.__('you') : trans.__('a module')}</td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional jp-HpcEnv-path">
                  <code>{plain(module.path)}</code>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Edit(props: IModulesProps & { edit: string[] }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment, edit, onEdit } = props;
  const [busy, setBusy] = React.useState(false);
  const [wrong, setWrong] = React.useState('');
  const box = React.useRef<HTMLDivElement>(null);
  const checked: IChecked = useModuleCheck(edit, '');
  React.useEffect(() => {
    box.current?.querySelector<HTMLElement>('[data-field="modules"]')?.focus();
  }, []);
  const update = async (): Promise<void> => {
    if (busy) {
      return;
    }
    setBusy(true);
    setWrong('');
    try {
      const warnings = await actions.changeModules(environment, edit);
      onEdit(null);
      props.onChanged(warnings);
    } catch (reason) {
      const error = asError(reason);
      const said = error.offline ? [trans.__('The server does not answer. Nothing was lost; try again.')] : [error.message, ...error.hints];
      setWrong(said.map(plain).join(' '));
      setBusy(false);
      box.current?.querySelector<HTMLElement>('[data-field="modules"]')?.focus();
    }
  };
  return (
    <div
      className="jp-HpcEnv-packages"
      ref={box}
      role="group"
      aria-label={trans.__('Change the modules')}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          void update();
        }
      }}
    >
      <ModulePicker
        id={`hpcenv-${environment.id}-modules`}
        value={{ modules: edit, collection: '' }}
        checked={checked}
        wrong={wrong}
        onChange={choice => {
          setWrong('');
          onEdit(choice.modules);
        }}
      />
      <p className="jp-HpcEnv-hint" role="status">
        {busy
          ? trans.__('The kernel is started once with these modules…')
          : trans.__('Update starts the kernel once with these modules, which takes some seconds. If it fails, all stays as it was.')}
      </p>
      <div className="jp-HpcEnv-actions">
        <Button kind="accept" aria-disabled={busy} onClick={() => void update()}>
          {busy ? trans.__('Proving the kernel…') : trans.__('Update')}
        </Button>
        <Button aria-disabled={busy} onClick={() => !busy && onEdit(null)}>
          {trans.__('Leave them as they are')}
        </Button>
      </div>
    </div>
  );
}
