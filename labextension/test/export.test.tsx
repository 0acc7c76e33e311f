import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentPage } from '../src/environment/page';
import { draw, IDrawn } from './draw';
import { detail, environment, ICall, IWorld, Refusal, world } from './facts';

const FORMATS = ['requirements.txt', 'pylock.toml'];
const EVIL = '<img src=x onerror=alert(1)>\u202e';

let w: IWorld;
let page: IDrawn | undefined;
beforeEach(() => {
  w = world();
});
afterEach(() => {
  page?.clear();
  page = undefined;
  vi.restoreAllMocks();
});

async function openExport(change: Parameters<typeof detail>[0] = {}): Promise<IDrawn> {
  const facts = detail(change);
  w.server.set('GET environments', [environment(change)]);
  w.server.set(`GET environments/${facts.id}`, facts);
  w.server.set(`GET environments/${facts.id}/packages`, []);
  w.server.set(`GET environments/${facts.id}/activation`, { dialect: 'sh', command: 'x' });
  w.server.set(`GET environments/${facts.id}/export`, (call: ICall) => {
    const wanted = new URLSearchParams(call.path.split('?')[1]).get('format');
    return wanted === 'pylock.toml'
      ? { format: wanted, text: 'lock-version = "1.0"\n', notes: [], formats: FORMATS }
      : { format: 'requirements.txt', text: `numpy\n${EVIL}\n`, notes: [`Its variables are not in it: ${EVIL}.`], formats: FORMATS };
  });
  await w.model.refresh();
  page = await draw(w, <EnvironmentPage id={facts.id} arrived={false} onClose={() => undefined} />);
  return page;
}

function tab(drawn: IDrawn, name: string): HTMLElement {
  const found = drawn.all('[role="tab"]').find(node => node.textContent?.startsWith(name));
  if (!found) {
    throw new Error(`No tab ${name}`);
  }
  return found;
}

describe('an environment as a file', () => {
  it('is shown as what was asked for, with what is not in it, as text', async () => {
    const drawn = await openExport();
    await drawn.click(tab(drawn, 'Export'));
    expect(drawn.get('pre').textContent).toBe(`numpy\n${EVIL.replace('\u202e', '\ufffd')}\n`);
    expect(drawn.text()).toContain('Its variables are not in it');
    expect(drawn.all('img')).toEqual([]);
    expect(drawn.all('.jp-HpcEnv-dialects [role="tab"]').map(node => node.textContent)).toEqual([
      'requirements.txtwhat was asked for',
      'pylock.tomllockfile'
    ]);
  });

  it('is had in the format that is chosen, by arrows too', async () => {
    const drawn = await openExport();
    await drawn.click(tab(drawn, 'Export'));
    await drawn.press(tab(drawn, 'requirements.txt'), 'ArrowDown');
    expect(drawn.get('pre').textContent).toBe('lock-version = "1.0"\n');
    expect(document.activeElement?.textContent).toBe('pylock.tomllockfile');
    expect(w.server.writes).toEqual([]);
  });

  it('is downloaded to the letter, under a name that says what it is', async () => {
    const drawn = await openExport();
    await drawn.click(tab(drawn, 'Export'));
    const blobs: Blob[] = [];
    URL.createObjectURL = (blob: Blob) => `blob:${blobs.push(blob)}`;
    URL.revokeObjectURL = () => undefined;
    const names: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      names.push(`${this.download} ${this.href}`);
    });
    await drawn.click(drawn.button('Download'));
    expect(names).toEqual(['climate-requirements.txt blob:1']);
    expect(blobs[0].size).toBe(new Blob([`numpy\n${EVIL}\n`]).size);
  });

  it('is not offered of what another tool made, or what can not be read', async () => {
    for (const change of [{ origin: 'foreign' as const }, { state: 'missing' as const }]) {
      const drawn = await openExport(change);
      expect(drawn.all('[role="tab"]').map(node => node.textContent)).not.toContain('Export');
      drawn.clear();
    }
    page = undefined;
  });

  it('says why it could not be written', async () => {
    const drawn = await openExport();
    w.server.set(`GET environments/${detail().id}/export`, new Refusal(409, { message: 'The index is away.', reason: '', code: 'x', hints: ['Try later.'] }));
    await drawn.click(tab(drawn, 'Export'));
    expect(drawn.text()).toContain('The index is away.');
    expect(drawn.text()).toContain('Try later.');
  });
});
