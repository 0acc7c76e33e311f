/** The plug-ins: the model that others may use, and the panel with its pages. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Actions } from './actions';
import { addCommands } from './commands';
import { Follower } from './follow';
import { addFileCommand, FileStart } from './from-file';
import { layersIcon } from './icons';
import { EnvironmentsModel } from './model';
import { watchKernels } from './notebook/watch';
import { connectNotices } from './notices';
import { connectJobs } from './job';
import { Pages } from './pages';
import { createPanel, PANEL_ID } from './panel/widget';
import { PanelState } from './panel/state';
import { addRunningSection } from './running';
import { StatusItem } from './status';
import { DOMAIN, IEnvironments, PLUGIN } from './tokens';
import { Announcer } from './ui/announcer';
import type { IContext } from './ui/context';

const model: JupyterFrontEndPlugin<EnvironmentsModel> = {
  id: 'jupyter-hpcenv:model',
  description: 'What the server knows of environments and operations.',
  autoStart: true,
  provides: IEnvironments,
  activate: app => new EnvironmentsModel(app.serviceManager)
};

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'The Environments panel, its pages, and what leads to them.',
  autoStart: true,
  requires: [IEnvironments],
  optional: [
    ITranslator,
    ISettingRegistry,
    ILayoutRestorer,
    IStateDB,
    ICommandPalette,
    ILauncher,
    IStatusBar,
    IRunningSessionManagers,
    IFileBrowserFactory
  ],
  activate: (
    app: JupyterFrontEnd,
    environments: EnvironmentsModel,
    translator: ITranslator | null,
    settings: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    statusBar: IStatusBar | null,
    managers: IRunningSessionManagers | null,
    browsers: IFileBrowserFactory | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const actions = new Actions(app, environments, trans, new Announcer());
    const context: IContext = { model: environments, actions, trans };
    const files = new FileStart(app.serviceManager.contents, context);
    const pages = new Pages(app.shell, context, node => files.takeDrops(node));
    actions.pages = pages;
    const state = new PanelState(stateDB);
    const panel = createPanel(context, state);
    files.takeDrops(panel.node);
    app.shell.add(panel, 'left', { rank: 210, type: 'Environments' });
    restorer?.add(panel, PANEL_ID);
    addCommands({ app, model: environments, pages, panelId: PANEL_ID, trans, palette, launcher });
    if (browsers) {
      addFileCommand(app, browsers, files, context);
    }
    if (restorer) {
      pages.restore(restorer);
    }
    connectNotices(environments, actions, trans);
    connectJobs(environments, actions.announcer, trans);
    watchKernels(app, context);
    const follower = new Follower(environments);

    if (statusBar) {
      const item = new StatusItem(context);
      statusBar.registerStatusItem('jupyter-hpcenv:status', {
        item,
        align: 'left',
        rank: 100,
        isActive: () => environments.running.length > 0,
        activeStateChanged: environments.changed
      });
    }
    if (managers) {
      addRunningSection(managers, environments, actions, trans);
    }
    if (settings) {
      void follow(settings, follower, state);
    }
  }
};

/** Apply the settings now and whenever they change. */
async function follow(registry: ISettingRegistry, follower: Follower, state: PanelState): Promise<void> {
  try {
    const settings = await registry.load(PLUGIN);
    const apply = (): void => {
      follower.seconds = settings.get('refreshSeconds').composite as number;
      state.foreign = settings.get('foundElsewhere').composite as boolean;
      state.changed.emit();
    };
    apply();
    settings.changed.connect(apply);
  } catch (error) {
    console.warn('hpcenv: the settings could not be read; the defaults count', error);
  }
}

export { IEnvironments, layersIcon };
export type { EnvironmentsModel };
const plugins: JupyterFrontEndPlugin<unknown>[] = [model, plugin];
export default plugins;
