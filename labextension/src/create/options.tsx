/** What hardly anybody has to answer. */
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import React from 'react';
import type { IManagerFacts } from '../tokens';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Icon } from '../ui/controls';
import { RunsIn, useProfiles } from '../ui/runs-in';
import type { Draft } from './draft';
import { VariableRows } from './fields';
import { BuildOn, usePartitions } from './build-on';

export function Options(props: {
  id: string;
  draft: Draft;
  /** What the launcher shows if nothing is said here. */
  title: string;
  manager: IManagerFacts | undefined;
  wrong?: string;
  /** What is wrong with the variables for building. */
  wrongBuild?: string;
  /** What the batch system refused. */
  wrongOn?: string;
  onChange: (change: Partial<Draft>) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { draft, manager, id } = props;
  // a conda environment has a Python of its own, and a copy that of its source: what fills it is not asked
  const conda = draft.language === 'conda' || !!draft.cloneOf;
  const [open, setOpen] = React.useState(
    !!draft.installer ||
      draft.systemSitePackages !== null ||
      draft.buildVariables.length > 0 ||
      !!draft.displayName ||
      !draft.kernel ||
      !!draft.profile ||
      !!draft.on
  );
  const partitions = usePartitions();
  const profiles = useProfiles();
  const check = (label: string, hint: string, checked: boolean, change: (on: boolean) => Partial<Draft>): JSX.Element => (
    <label className="jp-HpcEnv-check">
      <input type="checkbox" checked={checked} onChange={event => props.onChange(change(event.target.checked))} />
      <span>
        {label}
        <span className="jp-HpcEnv-hint">{hint}</span>
      </span>
    </label>
  );
  return (
    <details
      className="jp-HpcEnv-more"
      open={open || !!props.wrong || !!props.wrongBuild || !!props.wrongOn}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>{trans.__('Options')}</summary>
      <div className="jp-HpcEnv-optionRows">
        {draft.kernel && (
          <div className="jp-HpcEnv-optionRow">
            <label htmlFor={`${id}-display`}>{trans.__('Shown on the launcher as')}</label>
            <input
              className="jp-HpcEnv-input"
              id={`${id}-display`}
              value={draft.displayName}
              placeholder={props.title || draft.name}
              maxLength={100}
              onChange={event => props.onChange({ displayName: event.target.value })}
            />
          </div>
        )}
        {!conda && manager && manager.installers.length > 0 && (
          <div className="jp-HpcEnv-optionRow">
            <label htmlFor={`${id}-installer`}>{trans.__('Installer')}</label>
            <div>
              <span className="jp-HpcEnv-select">
                <select
                  className="jp-HpcEnv-input"
                  id={`${id}-installer`}
                  data-field="options"
                  value={draft.installer}
                  onChange={event => props.onChange({ installer: event.target.value })}
                >
                  <option value="">{trans.__('%1, as the site has it', manager.default_installer || trans.__('Automatic'))}</option>
                  {manager.installers.map(installer => (
                    <option key={installer} value={installer}>
                      {installer}
                    </option>
                  ))}
                </select>
                <Icon icon={caretDownEmptyIcon} />
              </span>
              {manager.reason && <div className="jp-HpcEnv-hint">{manager.reason}</div>}
              <Wrong id={`${id}-wrong`} text={props.wrong} />
            </div>
          </div>
        )}
        {!conda && (
          <div className="jp-HpcEnv-optionRow">
            <label htmlFor={`${id}-site-packages`}>{trans.__('Packages of the Python it is made from')}</label>
            <div>
              <span className="jp-HpcEnv-select">
                <select
                  className="jp-HpcEnv-input"
                  id={`${id}-site-packages`}
                  value={String(draft.systemSitePackages)}
                  onChange={event =>
                    props.onChange({ systemSitePackages: event.target.value === 'null' ? null : event.target.value === 'true' })
                  }
                >
                  <option value="null">{trans.__('Seen where a module brings packages')}</option>
                  <option value="true">{trans.__('Seen')}</option>
                  <option value="false">{trans.__('Not seen')}</option>
                </select>
                <Icon icon={caretDownEmptyIcon} />
              </span>
              <div className="jp-HpcEnv-hint">{trans.__('Seen packages are there without being installed again, as with “--system-site-packages”.')}</div>
            </div>
          </div>
        )}
        {!draft.cloneOf && (
          <div className="jp-HpcEnv-optionRow" role="group" aria-label={trans.__('Variables for building')}>
            <span>{trans.__('Variables for building')}</span>
            <VariableRows
              id={`${id}-build`}
              field="build"
              rows={draft.buildVariables}
              wrong={props.wrongBuild}
              onChange={buildVariables => props.onChange({ buildVariables })}
            />
            <div className="jp-HpcEnv-hint">{trans.__('Such as CC, MPICC or HDF5_DIR: only packages that are built from source see them.')}</div>
          </div>
        )}
        {draft.kernel && <RunsIn id={id} value={draft.profile} profiles={profiles} onChange={profile => props.onChange({ profile })} />}
        {!draft.cloneOf && <BuildOn id={id} value={draft.on} partitions={partitions} wrong={props.wrongOn} onChange={on => props.onChange({ on })} />}
        {check(
          trans.__('Make a kernel for notebooks'),
          trans.__('Without one, ipykernel is left out and nothing appears on the launcher.'),
          draft.kernel,
          on => ({ kernel: on })
        )}
      </div>
    </details>
  );
}
