import { CommandRegistry } from '@lumino/commands';
import { describe, expect, it, vi } from 'vitest';
import { addCommands, ICommandOptions } from '../src/commands';
import { newDraft, toRequest } from '../src/create/draft';
import { trans, world } from './facts';

function registry() {
  const w = world();
  const commands = new CommandRegistry();
  const pages = { open: vi.fn(), create: vi.fn() };
  const app = { commands, shell: { activateById: vi.fn() } };
  const options = { app, model: w.model, pages, panelId: 'p', trans, palette: null, launcher: null };
  addCommands(options as unknown as ICommandOptions);
  return { w, commands, pages };
}

describe('commands', () => {
  it('send nothing that changes anything, whatever a notebook calls them with', async () => {
    const { w, commands } = registry();
    const hostile = { name: 'x', packages: ['evil'], environment: 'a', operation: '../x', submit: true, force: 1, prefix: '/' };
    for (const id of commands.listCommands()) {
      expect(id).toMatch(/^hpcenv:/);
      await commands.execute(id, {});
      await commands.execute(id, hostile);
    }
    expect(w.server.writes).toEqual([]);
  });

  it('fill the form and leave it to the person', async () => {
    const { commands, pages } = registry();
    await commands.execute('hpcenv:new', { name: 'x', packages: ['numpy', 5], prefix: '/etc', variables: { LD_PRELOAD: 'x' } });
    const [start] = pages.create.mock.calls[0] as [object];
    expect(toRequest(newDraft(start))).toEqual({ name: 'x', packages: ['numpy'] });
    await commands.execute('hpcenv:new', {});
    expect(pages.create.mock.calls[1][0]).toBeUndefined();
  });

  it('take ids only in the form of ids', async () => {
    const { commands, pages } = registry();
    await commands.execute('hpcenv:open', { environment: '../../api/shutdown' });
    expect(pages.open).not.toHaveBeenCalled();
    await commands.execute('hpcenv:open', { operation: '20261121-080000-0000000a' });
    expect(pages.open).toHaveBeenCalledWith({ environment: undefined, operation: '20261121-080000-0000000a' }, undefined);
  });
});
