/** The panel as a widget of the left sidebar. */
import React from 'react';
import { layersIcon } from '../icons';
import type { IContext } from '../ui/context';
import { HpcEnvWidget } from '../ui/widget';
import { EnvironmentList } from './list';
import type { PanelState } from './state';

export const PANEL_ID = 'jupyter-hpcenv-panel';

export function createPanel(context: IContext, state: PanelState): HpcEnvWidget {
  const panel = new HpcEnvWidget(context, () => <EnvironmentList state={state} />);
  panel.id = PANEL_ID;
  panel.title.icon = layersIcon;
  panel.title.caption = context.trans.__('Environments');
  panel.node.setAttribute('role', 'region');
  panel.node.setAttribute('aria-label', context.trans.__('Environments'));
  return panel;
}
