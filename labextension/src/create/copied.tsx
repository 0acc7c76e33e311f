/** In place of the questions about what is in it, where the form makes a copy of an environment. */
import React from 'react';
import { plain } from '../format';
import { useHpcEnv, useModel } from '../ui/context';
import { Button } from '../ui/controls';
import type { Draft } from './draft';
import { Question } from './fields';

/** The name of what is copied; its id where it is not in the list. */
export function useCopied(draft: Pick<Draft, 'cloneOf'>): string {
  const model = useModel();
  return plain(model.environment(draft.cloneOf)?.name ?? draft.cloneOf);
}

export function Copied(props: { id: string; draft: Draft; onChange: (change: Partial<Draft>) => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const name = useCopied(props.draft);
  const source = model.environment(props.draft.cloneOf);
  return (
    <Question id={`${props.id}-q-copy`} label={trans.__('Start from')}>
      <p>{trans.__('A copy of %1: exactly its packages', name)}</p>
      {source && source.origin !== 'own' && (
        <div className="jp-HpcEnv-hint">{trans.__('It is not yours, so its variables are not taken over.')}</div>
      )}
      <Button kind="minimal" size="small" onClick={() => props.onChange({ cloneOf: '' })}>
        {trans.__('Start without a copy')}
      </Button>
    </Question>
  );
}
