/** The status bar's item: which build runs, and at which step. Nothing while none does. */
import React from 'react';
import { doing, isChange, placeOf } from './operation/verbs';
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
  const what = isChange(first) ? doing(first, trans) : first.environment.name;
  const text =
    running.length > 1
      ? running.some(isChange)
        ? trans._n('%1 operation', '%1 operations', running.length)
        : trans._n('%1 build', '%1 builds', running.length)
      : first.step > 0
        ? `${what} ${first.step}/${first.steps.length}`
        : what;
  return (
    <button
      type="button"
      className="jp-HpcEnv-statusItem"
      title={isChange(first) ? trans.__('Show the packages of %1', first.environment.name) : trans.__('Show the build of %1', first.environment.name)}
      onClick={() => actions.pages?.open(placeOf(first))}
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
