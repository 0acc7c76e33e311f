import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { mayDescribe } from '../src/create/described';
import { addFileCommand, FileStart } from '../src/from-file';
import { trans, world } from './facts';

interface IFile {
  name: string;
  path: string;
  type: string;
  size?: number;
  content?: string;
}

function set(...files: IFile[]) {
  const w = world();
  const create = vi.fn();
  w.actions.pages = { open: vi.fn(), create };
  const asked: unknown[][] = [];
  const contents = {
    get: async (path: string, options: { content: boolean }) => {
      asked.push([path, options.content]);
      const file = files.find(each => each.path === path);
      if (!file) {
        throw new Error('No such file: ' + path);
      }
      return file;
    }
  };
  const context = { model: w.model, actions: w.actions, trans };
  const start = new FileStart(contents as unknown as ConstructorParameters<typeof FileStart>[0], context);
  const commands = new CommandRegistry();
  let selection: IFile[] = [];
  const browsers = { tracker: { currentWidget: { selectedItems: () => selection[Symbol.iterator]() } } };
  type Arguments = Parameters<typeof addFileCommand>;
  addFileCommand({ commands } as unknown as Arguments[0], browsers as unknown as Arguments[1], start, context);
  return { w, start, create, commands, asked, select: (...chosen: IFile[]) => (selection = chosen) };
}

const YML: IFile = { name: 'environment.yml', path: 'a/environment.yml', type: 'file', size: 30, content: 'name: x\ndependencies: [hpc-a]\n' };
const TXT: IFile = { name: 'requirements.txt', path: 'requirements.txt', type: 'file', size: 4, content: 'six\n' };

function dropped(kind: string, paths: unknown, mime = 'application/x-jupyter-icontents') {
  const event = new Event(kind, { bubbles: true, cancelable: true });
  const mimeData = { hasData: (wanted: string) => wanted === mime, getData: () => paths };
  return Object.assign(event, { mimeData, proposedAction: 'move', dropAction: 'none' });
}

describe('a file of the file browser', () => {
  beforeEach(() => {
    vi.restoreAllMocks();
  });

  it('fills the form, and sends nothing that changes anything', async () => {
    const { w, commands, create, select } = set(YML, TXT);
    select(TXT);
    await commands.execute('hpcenv:new-from-file', { path: '../secrets', requirements: 'evil' });
    expect(create).toHaveBeenLastCalledWith({ requirements: 'six\n' }, 'file', 'requirements.txt');
    select(YML);
    await commands.execute('hpcenv:new-from-file');
    expect(create).toHaveBeenLastCalledWith({ manager: 'conda', file: YML.content }, 'file', 'environment.yml');
    expect(w.server.writes).toEqual([]);
  });

  it('is offered for one file whose name speaks for it', () => {
    const { commands, select } = set(YML, TXT);
    const offered = (...files: IFile[]): boolean => {
      select(...files);
      return commands.isVisible('hpcenv:new-from-file');
    };
    expect(offered(TXT)).toBe(true);
    expect(offered(TXT, YML)).toBe(false);
    expect(offered()).toBe(false);
    expect(offered({ ...TXT, type: 'directory' })).toBe(false);
    expect(offered({ ...TXT, name: 'notes.txt' })).toBe(false);
  });

  it.each(['requirements.txt', 'dev-requirements.in', 'environment.yml', 'ENV.YAML', 'pixi.lock', 'pyproject.toml', 'pylock.dev.toml', 'Pipfile', 'Pipfile.lock'])(
    'may be %s',
    name => {
      expect(mayDescribe(name)).toBe(true);
    }
  );

  it.each(['notebook.ipynb', 'data.csv', 'settings.toml', 'a.yml.bak'])('is not %s', name => {
    expect(mayDescribe(name)).toBe(false);
  });

  it('is not read where it is too large, and that is said', async () => {
    const said = vi.spyOn(Notification, 'error').mockReturnValue('');
    const { start, create, asked } = set({ ...TXT, size: 6_000_000 }, { ...YML, size: 1_500_000, content: 'x'.repeat(1_500_000) });
    await start.open(TXT.path);
    expect(asked).toEqual([[TXT.path, false]]);
    await start.open(YML.path);
    expect(said.mock.calls.map(call => call[0])).toEqual([
      'requirements.txt is too large for a description of an environment.',
      'environment.yml is too large for a requirements file.'
    ]);
    expect(create).not.toHaveBeenCalled();
  });

  it('that is gone is said to be', async () => {
    const said = vi.spyOn(Notification, 'error').mockReturnValue('');
    const { start, create } = set();
    await start.open('gone.txt');
    expect(said).toHaveBeenCalledWith('gone.txt could not be read. No such file: gone.txt');
    expect(create).not.toHaveBeenCalled();
  });

  it('can be dropped, one at a time, and other things can not', async () => {
    const { start, create } = set(TXT, YML);
    const node = document.createElement('div');
    start.takeDrops(node);
    const over = dropped('lm-dragover', [TXT.path]);
    node.dispatchEvent(over);
    expect(over.defaultPrevented).toBe(true);
    expect(over.dropAction).toBe('move');
    expect(create).not.toHaveBeenCalled();
    node.dispatchEvent(dropped('lm-drop', [TXT.path]));
    await vi.waitFor(() => expect(create).toHaveBeenCalledTimes(1));
    for (const other of [dropped('lm-drop', [TXT.path, YML.path]), dropped('lm-drop', TXT.path), dropped('lm-drop', [TXT.path], 'text/plain')]) {
      node.dispatchEvent(other);
      expect(other.defaultPrevented).toBe(false);
    }
    expect(create).toHaveBeenCalledTimes(1);
  });
});
