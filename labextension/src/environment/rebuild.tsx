/** The way back for an environment whose folder or Python is gone. */
import React from 'react';
import { canRebuild } from '../actions';
import type { IEnvironment, IPythonFact } from '../tokens';
import { useHpcEnv, useModel } from '../ui/context';
import { Button } from '../ui/controls';
import { Refused, useSending } from '../ui/sending';

/** “Build again”, and after a refusal why not; where no Python like the old one is there, another one can be chosen. */
export function BuildAgain(props: { environment: IEnvironment }): JSX.Element | null {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const { environment } = props;
  const { busy, refused, send } = useSending();
  const [chosen, setPython] = React.useState('');
  const [pythons, setPythons] = React.useState<readonly IPythonFact[]>([]);
  if (!canRebuild(environment) || model.running.some(each => each.environment.id === environment.id)) {
    return null;
  }
  const other = pythons.length > 0;
  const python = other ? chosen || (pythons.find(each => each.default) ?? pythons[0]).path : '';
  const build = async (): Promise<void> => {
    await send(`rebuild ${python}`, async key => {
      try {
        await actions.rebuild(environment, python, key);
      } catch (error) {
        if ((error as { code?: string }).code === 'python_not_found') {
          const site = await model.refreshSite().catch(() => model.site);
          setPythons(site?.pythons ?? []);
        }
        throw error;
      }
    });
  };
  const id = `hpcenv-${environment.id}-again`;
  return (
    <>
      {other && (
        <p className="jp-HpcEnv-pair">
          <label htmlFor={id}>{trans.__('Build it on')}</label>
          <select className="jp-HpcEnv-input jp-HpcEnv-nameInput" id={id} value={python} onChange={event => setPython(event.target.value)}>
            {pythons.map(each => (
              <option key={each.path} value={each.path} title={each.path}>
                {each.label}
              </option>
            ))}
          </select>
        </p>
      )}
      <div className="jp-HpcEnv-actions">
        <Button kind="accept" aria-disabled={busy} onClick={() => void build()}>
          {busy ? trans.__('Sending…') : trans.__('Build again')}
        </Button>
      </div>
      <Refused error={refused} />
    </>
  );
}
