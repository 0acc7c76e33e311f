/** The status bar's item: which build runs, and at which step. Nothing while none does. */
import React from 'react';
import { doing, isBuild, isChange, placeOf } from './operation/verbs';
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
  const what = isBuild(first) ? first.environment.name : doing(first, trans);
  const text =
    running.length > 1
      ? running.every(isBuild)
        ? trans._n('%1 build', '%1 builds', running.length)
        : trans._n('%1 operation', '%1 operations', running.length)
      : first.step > 0
        ? `${what} ${first.step}/${first.steps.length}`
        : what;
  const { name } = first.environment;
  const title = isChange(first) ? trans.__('Show the packages of %1', name) : isBuild(first) ? trans.__('Show the build of %1', name) : trans.__('Show %1', name);
  return (
    <button
      type="button"
      className="jp-HpcEnv-statusItem"
      title={title}
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
