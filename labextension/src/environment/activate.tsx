/** How the environment becomes the current one: the lines to type, and the file behind them, in each dialect. */
import React from 'react';
import { checkIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { plain } from '../format';
import type { Dialect, IActivation, IEnvironmentDetail, ModuleSystem } from '../tokens';
import { Callout, Code, Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { ISideTab, SideTabs } from '../ui/side-tabs';

type IDialect = ISideTab<Dialect>;

/** The dialects that make sense here: modulefiles only where something reads them. */
export function dialects(system: ModuleSystem, ours: boolean, trans: TranslationBundle): IDialect[] {
  const all: (IDialect & { shown: boolean })[] = [
    { value: 'lmod', label: trans.__('Lmod'), hint: 'module load', shown: ours && system === 'lmod' },
    { value: 'tcl', label: trans.__('Tcl modulefile'), hint: 'module load', shown: ours && system !== 'none' },
    { value: 'sh', label: 'bash, zsh, sh', hint: trans.__('a terminal'), shown: true },
    { value: 'csh', label: 'tcsh, csh', hint: trans.__('a terminal'), shown: true },
    { value: 'fish', label: 'fish', hint: trans.__('a terminal'), shown: true },
    { value: 'sbatch', label: trans.__('Slurm job'), hint: '#SBATCH', shown: ours },
    { value: 'pbs', label: trans.__('PBS job'), hint: '#PBS', shown: ours }
  ];
  return all.filter(each => each.shown);
}

export function Activate(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans } = useHpcEnv();
  const system = useModel().modules.facts?.system ?? 'none';
  const { environment } = props;
  const shown = dialects(system, environment.origin === 'own' || environment.origin === 'shared', trans);
  const [wanted, setDialect] = React.useState<Dialect | null>(null);
  const dialect = shown.find(each => each.value === wanted) ?? shown[0];
  const id = `hpcenv-${environment.id}-dialect`;
  return (
    <div className="jp-HpcEnv-activate">
      <SideTabs<Dialect> id={id} label={trans.__('Dialect')} shown={shown} value={dialect.value} onChange={setDialect} />
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${dialect.value}`} tabIndex={-1}>
        <Loaded key={dialect.value} environment={environment} dialect={dialect} />
      </div>
    </div>
  );
}

function Loaded(props: { environment: IEnvironmentDetail; dialect: IDialect }): JSX.Element | null {
  const { trans, model } = useHpcEnv();
  const { environment, dialect } = props;
  const activation = useLoaded(() => model.api.activation(environment.id, dialect.value), `${environment.id} ${environment.revision} ${environment.prefix}`);
  if (activation.error) {
    return <Trouble title={trans.__('The activation could not be read')} error={activation.error} onRetry={activation.reload} />;
  }
  return activation.value && <Lines {...props} activation={activation.value} onInstalled={activation.reload} />;
}

function Lines(props: {
  environment: IEnvironmentDetail;
  dialect: IDialect;
  activation: IActivation;
  onInstalled: () => void;
}): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment, dialect, activation } = props;
  const [busy, setBusy] = React.useState(false);
  const modulefile = dialect.value === 'lmod' || dialect.value === 'tcl';
  const job = dialect.value === 'sbatch' || dialect.value === 'pbs';
  const install = async (): Promise<void> => {
    if (!busy) {
      setBusy(true);
      await actions.installActivation(environment, dialect.value);
      setBusy(false);
      props.onInstalled();
    }
  };
  const lines = modulefile && activation.use ? `${activation.use}\n${activation.command}` : activation.command;
  const missing = modulefile && !activation.path;
  return (
    <>
      {missing && (
        <Callout
          actions={
            environment.origin === 'own' && (
              <Button size="small" aria-disabled={busy} onClick={() => void install()}>
                {trans.__('Install the modulefile')}
              </Button>
            )
          }
        >
          {environment.origin === 'own'
            ? trans.__('The modulefile is not installed yet; the lines below work once it is.')
            : trans.__('Its owner has not installed the modulefile; the lines below work once it is.')}
        </Callout>
      )}
      <section className="jp-HpcEnv-section" aria-label={trans.__('What to type')}>
        <header>
          <h2>{job ? trans.__('To submit it') : trans.__('In a shell or a job')}</h2>
          {modulefile && activation.path && (
            <span className="jp-HpcEnv-push jp-HpcEnv-tag">
              <Icon icon={checkIcon} kind="ok" />
              {trans.__('Installed')}
            </span>
          )}
        </header>
        {lines && <Code text={lines} label={trans.__('Copy activation')} />}
        <p className="jp-HpcEnv-hint">{advice(dialect.value, trans)}</p>
      </section>
      {activation.text && (
        <section className="jp-HpcEnv-section" aria-label={trans.__('The file')}>
          <header>
            <h2>{trans.__('The file')}</h2>
          </header>
          {activation.path && (
            <p className="jp-HpcEnv-path">
              <code>{plain(activation.path)}</code>
            </p>
          )}
          <Code text={activation.text} label={trans.__('Copy the file')} />
        </section>
      )}
    </>
  );
}

function advice(dialect: Dialect, trans: TranslationBundle): string {
  if (dialect === 'lmod' || dialect === 'tcl') {
    return trans.__('The first line is needed once for each session. “module unload” restores the shell as it was.');
  }
  return dialect === 'sbatch' || dialect === 'pbs'
    ? trans.__('Put your command at the end of the file.')
    : trans.__('In a terminal, or in a batch script before the first command that needs the environment. “deactivate” undoes it.');
}
