/** Overview: whether it works, where it can be used, and the facts. */
import { checkIcon, notebookIcon, terminalIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { publishedKernel } from '../actions';
import { moment, plain, seconds } from '../format';
import { warnIcon } from '../icons';
import type { IEnvironmentDetail, IFinding } from '../tokens';
import { CopyButton } from '../ui/blocks';
import { useHpcEnv, useLoaded } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { BuildAgain } from './rebuild';
import { Sharing } from './sharing';
import { sizeWord, useSize } from './size';
import { driftOf, driftWord, stateAdvice, stateWord } from './states';

export function Overview(props: { environment: IEnvironmentDetail; onModules: () => void }): JSX.Element {
  const { environment } = props;
  return (
    <div className="jp-HpcEnv-split">
      <div>
        <Health environment={environment} onModules={props.onModules} />
        <Uses environment={environment} />
        <Sharing environment={environment} />
      </div>
      <div>
        <FactList environment={environment} />
      </div>
    </div>
  );
}

function Health(props: { environment: IEnvironmentDetail; onModules: () => void }): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { environment } = props;
  const { preflight } = environment;
  const word = stateWord(environment.state, trans);
  const missing = environment.state === 'module_missing';
  // the state says it already where a module is missing
  const drift = missing ? [] : driftOf(environment);
  const choose = environment.origin === 'own' && (
    <Button size="small" onClick={props.onModules}>
      {missing ? trans.__('Choose modules') : trans.__('Show modules')}
    </Button>
  );
  const found = useFindings(environment);
  if (!word && !preflight && drift.length === 0 && found.length === 0) {
    return null;
  }
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Health')}>
      <header>
        <h2>{trans.__('Health')}</h2>
        {preflight && <span className="jp-HpcEnv-muted jp-HpcEnv-small">{trans.__('proven %1', moment(preflight.at))}</span>}
      </header>
      <ul className="jp-HpcEnv-findings">
        {word && (
          <li>
            <Icon icon={warnIcon} kind="warn" />
            <div>
              {plain(environment.message) || word}
              <p>{stateAdvice(environment, trans)}</p>
              <BuildAgain environment={environment} />
            </div>
            {missing && choose}
          </li>
        )}
        {drift.map((each, at) => (
          <li key={`${each.module} ${each.what}`}>
            <Icon icon={warnIcon} kind="warn" />
            <div>
              {trans.__('Module %1: %2', plain(each.module), driftWord(each.what, trans))}
              <p>{plain(each.message)}</p>
            </div>
            {at === 0 && choose}
          </li>
        ))}
        {found.map(each => (
          <li key={`${each.code} ${each.path} ${each.message}`}>
            <Icon icon={warnIcon} kind="warn" />
            <div>
              {plain(each.message)}
              <p>{plain(each.breaks)}</p>
              <p>{plain(each.advice)}</p>
            </div>
          </li>
        ))}
        {preflight && (
          <li>
            <Icon icon={checkIcon} kind="ok" />
            <div>
              {preflight.kind === 'kernel' ? trans.__('Kernel proven') : trans.__('Python proven')}
              <p>
                {preflight.kind === 'kernel'
                  ? trans.__('Started through its own launch script in %1; sys.prefix is this environment.', seconds(preflight.seconds, trans))
                  : trans.__('Its Python was started in %1.', seconds(preflight.seconds, trans))}
              </p>
            </div>
          </li>
        )}
      </ul>
    </section>
  );
}

/** What the state and the modules do not tell already. */
const TOLD = new Set(['prefix_gone', 'python_gone', 'module_gone', 'module_changed']);

/** What the doctor finds of one's own environment; while it looks, or where it can not, nothing. */
function useFindings(environment: IEnvironmentDetail): IFinding[] {
  const { model } = useHpcEnv();
  const own = environment.origin === 'own';
  const found = useLoaded(
    () => (own ? model.api.findings(environment.id) : Promise.resolve([])),
    `${environment.id} ${environment.revision} ${environment.state}`
  );
  return (found.value ?? []).filter(each => !TOLD.has(each.code));
}

function Uses(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment } = props;
  const activation = useLoaded(() => model.api.activation(environment.id), `${environment.id} ${environment.revision} ${environment.prefix}`);
  const kernel = publishedKernel(environment);
  const running = model.kernelsRunning(environment);
  const usable = environment.state === 'ready' || environment.state === 'newer';
  const told = kernel
    ? running > 0
      ? trans.__('Kernel %1, %2 running', kernel.display_name, running)
      : trans.__('Kernel %1', kernel.display_name)
    : environment.origin === 'foreign'
      ? trans.__('Found elsewhere: it has no kernel of ours')
      : environment.origin === 'shared'
        ? trans.__('Not on the launcher; “Use” gives you a kernel')
        : trans.__('Not on the launcher; see Kernels');
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Where you can use it')}>
      <header>
        <h2>{trans.__('Where you can use it')}</h2>
      </header>
      <ul className="jp-HpcEnv-uses">
        <li>
          <Icon icon={notebookIcon} />
          <span>{trans.__('Notebook')}</span>
          <span className="jp-HpcEnv-muted jp-HpcEnv-small">{told}</span>
          <span />
          {kernel && usable && actions.canOpenNotebook ? (
            <Button size="small" onClick={() => void actions.newNotebook(environment)}>
              {trans.__('New notebook')}
            </Button>
          ) : (
            <span />
          )}
        </li>
        <li>
          <Icon icon={terminalIcon} />
          <span>{trans.__('Terminal')}</span>
          {activation.value ? (
            <code className="jp-HpcEnv-muted" title={activation.value.command}>
              {plain(activation.value.command)}
            </code>
          ) : (
            <span className="jp-HpcEnv-muted jp-HpcEnv-small">{activation.error ? trans.__('Cannot be activated') : ''}</span>
          )}
          {activation.value ? <CopyButton text={activation.value.command} label={trans.__('Copy activation')} /> : <span />}
          {activation.value && usable && actions.canOpenTerminal ? (
            <Button size="small" onClick={() => void actions.openTerminal(environment)}>
              {trans.__('Open terminal')}
            </Button>
          ) : (
            <span />
          )}
        </li>
      </ul>
    </section>
  );
}

function FactList(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans } = useHpcEnv();
  const { environment } = props;
  const tools = Object.entries(environment.tools).map(([name, version]) => `${name} ${version}`);
  const variables = Object.entries(environment.variables).map(([name, value]) => `${name}=${value}`);
  const build = Object.entries(environment.build_variables ?? {}).map(([name, value]) => `${name}=${value}`);
  const platform = environment.platform;
  const size = useSize(environment);
  // the Python of a conda environment is one of its packages
  const madeFrom = environment.python_path.startsWith(`${environment.prefix}/`) ? '' : environment.python_path;
  const facts: [string, React.ReactNode][] = [
    [trans.__('Python'), environment.python],
    [trans.__('Made from'), madeFrom && <code>{plain(madeFrom)}</code>],
    [trans.__('Manager'), [environment.manager, environment.installer && trans.__('filled by %1', environment.installer)].filter(Boolean).join(', ')],
    [trans.__('Made with'), tools.join(', ')],
    [trans.__('Channels'), (environment.channels ?? []).map(plain).join(', ')],
    [trans.__('Asked for'), environment.packages.map(plain).join(', ')],
    [trans.__('Modules'), environment.modules?.load.map(plain).join(', ')],
    [trans.__('Built with'), build.length > 0 && <code>{plain(build.join(' '))}</code>],
    [trans.__('Variables'), variables.length > 0 && <code>{plain(variables.join(' '))}</code>],
    [trans.__('Site packages'), environment.system_site_packages && trans.__('sees those of its Python')],
    [trans.__('Builds'), environment.target && <Builds environment={environment} />],
    [trans.__('Size'), sizeWord(size, trans)],
    [trans.__('Prefix'), <code key="prefix">{plain(environment.prefix)}</code>],
    [trans.__('Owner'), environment.origin === 'shared' && environment.owner],
    [trans.__('Created'), moment(environment.created)],
    [trans.__('Changed'), environment.changed !== environment.created && moment(environment.changed)],
    [trans.__('Processor'), platform && [platform.arch, platform.cluster].filter(Boolean).join(', ')]
  ];
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Facts')}>
      <header>
        <h2>{trans.__('Facts')}</h2>
      </header>
      <dl className="jp-HpcEnv-facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <React.Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
      </dl>
      {environment.origin !== 'own' && (
        <p className="jp-HpcEnv-hint">
          {environment.origin === 'shared'
            ? trans.__('Shared by %1. You can use it, not change it.', environment.owner)
            : trans.__('Found on this machine. You can look at it, not change it.')}
        </p>
      )}
    </section>
  );
}

/** A line for each kind of computer that it is built for; its own prefix comes first. */
function Builds(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans } = useHpcEnv();
  const { target, builds, edition, created } = props.environment;
  const others = Object.entries(builds ?? {});
  const lines: [string, string, boolean][] = [
    [target ?? '', created, false],
    ...others.map(([name, build]): [string, string, boolean] => [name, build.created, build.edition !== edition])
  ];
  return (
    <>
      {lines.map(([name, at, old]) => (
        <div key={name}>
          <code>{plain(name)}</code> {moment(at)}
          {old && ` ${trans.__('(older than its packages)')}`}
        </div>
      ))}
    </>
  );
}
