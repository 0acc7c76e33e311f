/**
 * The commands under which others reach the panel.
 *
 * A notebook's output can call any of these with any arguments, so they open, fill and focus; none
 * of them sends a request that changes something.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import type { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, refreshIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { layersIcon } from './icons';
import type { EnvironmentsModel } from './model';
import { VIEWS } from './page';
import type { Pages } from './pages';
import { CommandIDs, ICreateRequest } from './tokens';

const STRING = { type: 'string' } as const;

export interface ICommandOptions {
  app: JupyterFrontEnd;
  model: EnvironmentsModel;
  pages: Pages;
  panelId: string;
  trans: TranslationBundle;
  palette: ICommandPalette | null;
  launcher: ILauncher | null;
}

function id(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9A-Za-z-]{1,64}$/.test(value) ? value : undefined;
}

export function addCommands(options: ICommandOptions): void {
  const { app, model, pages, panelId, trans, palette, launcher } = options;
  const { commands } = app;
  commands.addCommand(CommandIDs.focusPanel, {
    label: trans.__('Environments'),
    caption: trans.__('Show the list of environments'),
    icon: layersIcon,
    execute: () => {
      app.shell.activateById(panelId);
    }
  });
  commands.addCommand(CommandIDs.create, {
    label: args => (args.isLauncher || args.isPalette ? trans.__('New environment') : trans.__('Environment')),
    caption: trans.__('Open the form for a new environment'),
    icon: args => (args.isPalette ? undefined : args.isLauncher ? layersIcon : addIcon),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: STRING,
          manager: STRING,
          python: STRING,
          packages: { type: 'array', items: STRING },
          requirements: STRING,
          channels: { type: 'array', items: STRING },
          file: STRING,
          location: STRING,
          display_name: STRING
        }
      }
    },
    execute: args => pages.create(prefilled(args))
  });
  commands.addCommand(CommandIDs.open, {
    label: trans.__('Show an environment or an operation'),
    describedBy: { args: { type: 'object', properties: { environment: STRING, operation: STRING, view: { enum: [...VIEWS] }, page: STRING } } },
    execute: args => {
      const place = { environment: id(args.environment), operation: id(args.operation) };
      const page = id(args.page);
      const view = VIEWS.find(each => each === args.view);
      if (view) {
        pages.open({ view }, page);
      } else if (place.environment || place.operation || page) {
        pages.open(place, page);
      } else {
        pages.create();
      }
    }
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh the list of environments'),
    icon: refreshIcon,
    execute: () => model.refresh()
  });
  const category = trans.__('Environments');
  palette?.addItem({ command: CommandIDs.focusPanel, category });
  palette?.addItem({ command: CommandIDs.create, category, args: { isPalette: true } });
  palette?.addItem({ command: CommandIDs.refresh, category });
  launcher?.add({ command: CommandIDs.create, category, rank: 0, args: { isLauncher: true } });
}

/** What the form is filled with; undefined where the arguments say nothing about an environment. */
function prefilled(args: ReadonlyPartialJSONObject): Partial<ICreateRequest> | undefined {
  const fields = ['name', 'manager', 'python', 'packages', 'requirements', 'channels', 'file', 'location', 'display_name'];
  const wanted = fields.filter(key => args[key] !== undefined);
  return wanted.length > 0 ? (Object.fromEntries(wanted.map(key => [key, args[key]]))) : undefined;
}
