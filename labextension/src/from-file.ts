/** Files of the file browser as the start of a new environment: by its context menu, or dragged onto a page of ours. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import { fileKind, mayDescribe } from './create/described';
import { FILE_LIMIT, startWith } from './create/start';
import { plain } from './format';
import { layersIcon } from './icons';
import { CommandIDs } from './tokens';
import type { IContext } from './ui/context';

/** What Lab's file browser gives along with files that are dragged from it: a list of paths. */
const PATHS = 'application/x-jupyter-icontents';

/** As much as is used of a drag of Lab's; its events are not the browser's own. */
interface IDrag extends Event {
  readonly mimeData: { hasData(mime: string): boolean; getData(mime: string): unknown };
  readonly proposedAction: string;
  dropAction: string;
}

/** Opens the form, filled with the text of a file that the server keeps; nothing is sent but the question for the file. */
export class FileStart {
  constructor(
    private contents: Contents.IManager,
    private context: IContext
  ) {}

  /** Read the file at *path* and fill the form with it; say why where that can not be done. */
  async open(path: string): Promise<void> {
    const { actions, model, trans } = this.context;
    const name = PathExt.basename(path);
    try {
      const facts = await this.contents.get(path, { content: false });
      if ((facts.size ?? 0) > FILE_LIMIT.conda) {
        Notification.error(trans.__('%1 is too large for a description of an environment.', plain(name)));
        return;
      }
      const file = await this.contents.get(path, { type: 'file', format: 'text', content: true });
      const text = String(file.content);
      if (!fileKind(text) && text.length > FILE_LIMIT.pep508) {
        Notification.error(trans.__('%1 is too large for a requirements file.', plain(name)));
        return;
      }
      actions.pages?.create(startWith(text, model.site), 'file', name);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      Notification.error(trans.__('%1 could not be read. %2', plain(name), plain(reason)));
    }
  }

  /** Let files of the file browser be dropped on *node*. */
  takeDrops(node: HTMLElement): void {
    for (const kind of ['lm-dragenter', 'lm-dragover', 'lm-drop']) {
      node.addEventListener(kind, event => this._dragged(event as IDrag), true);
    }
  }

  private _dragged(event: IDrag): void {
    const paths = event.mimeData.hasData(PATHS) ? event.mimeData.getData(PATHS) : undefined;
    if (!Array.isArray(paths) || paths.length !== 1) {
      return; // of several files none is the one
    }
    event.preventDefault();
    event.stopPropagation();
    if (event.type === 'lm-dragover') {
      event.dropAction = event.proposedAction;
    }
    if (event.type === 'lm-drop') {
      event.dropAction = 'copy';
      void this.open(String(paths[0]));
    }
  }
}

/** Add the command of the file browser's context menu. It takes the file that is selected there, and no argument. */
export function addFileCommand(app: JupyterFrontEnd, browsers: IFileBrowserFactory, files: FileStart, context: IContext): void {
  const selected = (): Contents.IModel[] => [...(browsers.tracker.currentWidget?.selectedItems() ?? [])];
  const only = (): Contents.IModel | undefined => (selected().length === 1 ? selected()[0] : undefined);
  app.commands.addCommand(CommandIDs.fromFile, {
    label: context.trans.__('Create Environment from This File'),
    icon: layersIcon,
    isVisible: () => {
      const file = only();
      return file !== undefined && file.type !== 'directory' && mayDescribe(file.name);
    },
    execute: () => {
      const file = only();
      return file ? files.open(file.path) : undefined;
    }
  });
}
