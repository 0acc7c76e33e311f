/** A JupyterLab widget whose content is one of our components. */
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';
import { Context, IContext } from './context';

export class HpcEnvWidget extends ReactWidget {
  constructor(
    protected context: IContext,
    private draw: () => JSX.Element
  ) {
    super();
    this.addClass('jp-HpcEnv-host');
  }

  protected render(): JSX.Element {
    return <Context.Provider value={this.context}>{this.draw()}</Context.Provider>;
  }
}
