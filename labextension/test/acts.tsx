/** The page of an environment, on a server that does to it what a test says. */
import React, { act } from 'react';
import { vi } from 'vitest';
import { EnvironmentPage } from '../src/environment/page';
import type { IEnvironmentDetail, IOperation } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { detail, environment, IWorld, operation, world } from './facts';

export const ID = environment().id;
/** A colleague's, which is not used yet. */
export const SHARED: Partial<IEnvironmentDetail> = { origin: 'shared', kernels: [], owner: 'bo', shared: { group: '' } };
/** How a server refuses. */
export const NO = { message: 'No: <b>x</b>.', reason: 'said so', code: 'refused', hints: ['First do this.', 'Or <i>that</i>.'] };

export class Acts {
  readonly w: IWorld = world();
  readonly pages = { open: vi.fn(), create: vi.fn() };
  page!: IDrawn;

  constructor() {
    this.w.actions.pages = this.pages;
  }

  /** How the server describes it from now on. */
  put(fields: Partial<IEnvironmentDetail>): void {
    this.w.server.set('GET environments', [environment({ ...fields })]);
    this.w.server.set(`GET environments/${ID}`, detail(fields));
  }

  async draw(element: JSX.Element): Promise<IDrawn> {
    this.page = await draw(this.w, element);
    return this.page;
  }

  async open(fields: Partial<IEnvironmentDetail> = {}): Promise<IDrawn> {
    this.put(fields);
    this.w.server.set(`GET environments/${ID}/packages`, []);
    await this.w.model.refresh();
    return this.draw(<EnvironmentPage id={ID} arrived={false} onClose={() => undefined} />);
  }

  /** An act on the environment, of which the server knows the log. */
  acting(verb: string, fields: Partial<IOperation> = {}): IOperation {
    const what = operation('climate', 2, { id: '20261121-090000-0000000a', verb, request: {}, ...fields });
    this.w.server.set(`GET operations/${what.id}/log`, { lines: [], offset: 0, complete: true });
    return what;
  }

  /** The server says how an act stands. */
  async becomes(what: IOperation): Promise<void> {
    this.w.server.set('GET operations', [what]);
    await act(async () => this.w.model.refreshOperations());
    await this.page.settle();
  }

  named(name: string): HTMLElement[] {
    return this.page.all('button').filter(node => (node.getAttribute('aria-label') ?? node.textContent) === name);
  }

  /** What was sent: where to, without the number that keeps a cache from answering, and what. */
  sent(): [string, unknown][] {
    return this.w.server.writes.map(call => [call.path.split('?')[0], call.body]);
  }

  /** Open the menu ⋯ and return the labels of its items. */
  async menu(): Promise<string[]> {
    await this.page.click(this.page.button('More actions'));
    return [...document.querySelectorAll<HTMLElement>('.lm-Menu-item[data-type="command"]')].map(item => item.textContent ?? '');
  }

  /** Open it and choose an item with the keyboard. */
  async choose(label: string): Promise<void> {
    const at = (await this.menu()).indexOf(label);
    if (at < 0) {
      throw new Error(`The menu has no “${label}”.`);
    }
    const node = document.querySelector('.lm-Menu');
    await act(async () => {
      for (const keyCode of [...Array<number>(at + 1).fill(40), 13]) {
        node?.dispatchEvent(new KeyboardEvent('keydown', { keyCode, bubbles: true }));
      }
      await new Promise(requestAnimationFrame);
    });
    await this.page.settle();
    // what it opens takes the focus in the next frame
    await new Promise(requestAnimationFrame);
  }

  /** Take the page and its menu away. */
  close(): void {
    this.page?.clear();
    document.querySelectorAll('.lm-Menu').forEach(node => node.remove());
  }

  clear(): void {
    this.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  }
}
