/** The status bar's item: which build runs, and at which step. Nothing while none does. */
import React from 'react';
import { HpcEnvWidget } from './ui/widget';
import { IContext, useHpcEnv, useModel } from './ui/context';

function Running(): JSX.Element | null {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const running = model.running;
  const first = running[0];
  if (!first) {
    return null;
  }
  const { id, name } = first.environment;
  const text =
    running.length > 1
      ? trans._n('%1 build', '%1 builds', running.length)
      : first.step > 0
        ? `${name} ${first.step}/${first.steps.length}`
        : name;
  return (
    <button
      type="button"
      className="jp-HpcEnv-statusItem"
      title={trans.__('Show the build of %1', name)}
      onClick={() => actions.pages?.open({ operation: first.id, environment: id })}
    >
      <span className="jp-HpcEnv-spinner" />
      {text}
    </button>
  );
}

export class StatusItem extends HpcEnvWidget {
  constructor(context: IContext) {
    super(context, () => <Running />);
    this.addClass('jp-HpcEnv');
  }
}
