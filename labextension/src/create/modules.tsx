/** The question after modules; nothing where the machine has none. */
import React from 'react';
import type { IChecked } from '../modules/check';
import { ModulePicker } from '../modules/picker';
import { Wrong } from '../ui/blocks';
import { useHpcEnv, useModel } from '../ui/context';
import { Button } from '../ui/controls';
import type { Draft } from './draft';
import { Question } from './fields';

export function Modules(props: {
  id: string;
  draft: Draft;
  checked: IChecked;
  wrong?: string;
  onChange: (change: Partial<Draft>) => void;
}): JSX.Element | null {
  const { trans } = useHpcEnv();
  const catalog = useModel().modules;
  const { id, draft } = props;
  const asked = draft.modules.length > 0 || draft.collection !== '';
  if (!catalog.present && !asked) {
    return null;
  }
  return (
    <Question id={`${id}-q`} label={trans.__('Modules')}>
      {catalog.present || !catalog.facts ? (
        <ModulePicker
          id={id}
          value={{ modules: draft.modules, collection: draft.collection }}
          checked={props.checked}
          wrong={props.wrong}
          collections
          onChange={props.onChange}
        />
      ) : (
        <>
          <Wrong
            id={`${id}-wrong`}
            text={
              props.wrong ||
              trans.__('This machine has no module system, and the request asks for %1.', draft.collection || draft.modules.join(', '))
            }
          />
          <Button size="small" data-field="modules" onClick={() => props.onChange({ modules: [], collection: '' })}>
            {trans.__('Leave the modules out')}
          </Button>
        </>
      )}
    </Question>
  );
}
