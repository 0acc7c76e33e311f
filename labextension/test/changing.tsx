/** The page of an environment, open at its packages, on a server that plans and changes as a test says. */
import React, { act } from 'react';
import { vi } from 'vitest';
import { EnvironmentPage } from '../src/environment/page';
import type { IChanges, IEnvironmentDetail, IOperation, IPackage } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { detail, environment, ICall, IWorld, operation, plan, planned, siteWithConda, world } from './facts';

export const NONE = { message: '', reason: '', code: '', hints: [] };

export function planOf(fields: Partial<IOperation> = {}): IOperation {
  return operation('climate', 1, { id: '20261121-090000-0000000p', verb: 'plan_change', ...fields });
}

export function changeOf(fields: Partial<IOperation> = {}): IOperation {
  return operation('climate', 2, { id: '20261121-090100-0000000c', verb: 'change', request: { install: ['rich'] }, ...fields });
}

/** A plan that is there. */
export function plannedAs(fields: Parameters<typeof plan>[0] = {}): IOperation {
  const install = [planned('rich', { version: '14.1', build: '', bytes: 0 })];
  return planOf({ state: 'succeeded', result: { ...plan({ install, download_bytes: null, ...fields }) } });
}

export class Screen {
  readonly w: IWorld = world();
  page!: IDrawn;
  /** How the plan and the change stand; what GET answers. */
  planning = plannedAs();
  change = changeOf();
  /** What is on the disk. */
  installed: IPackage[] = [
    { name: 'numpy', version: '2.2.6', source: 'wheel' },
    { name: 'ipykernel', version: '7.4', source: 'wheel' },
    { name: 'attrs', version: '25.1', source: 'wheel' }
  ];

  constructor() {
    this.w.server.set('GET site', siteWithConda());
  }

  async open(fields: Partial<IEnvironmentDetail> = {}): Promise<void> {
    const { server, model } = this.w;
    const facts = detail(fields);
    const at = `environments/${facts.id}`;
    server.set('GET environments', [environment(fields)]);
    server.set(`GET ${at}`, facts);
    server.set(`GET ${at}/packages`, () => this.installed);
    server.set(`POST ${at}/changes`, (call: ICall) => ((call.body as IChanges).dry_run ? planOf({ state: 'pending', step: 0 }) : this.change));
    server.set(`POST ${at}/repair`, () => changeOf({ id: '20261121-090200-0000000r', verb: 'repair' }));
    server.set(`GET operations/${this.planning.id}`, () => this.planning);
    server.set(`DELETE operations/${this.planning.id}`, undefined);
    server.set(`POST operations/${this.planning.id}/cancel`, () => ({ ...this.planning, cancelling: true }));
    this.haveLog(this.change.id);
    this.haveLog('20261121-090200-0000000r');
    await model.refresh();
    await model.refreshSite();
    this.page = await draw(this.w, <EnvironmentPage id={facts.id} arrived={false} turn={{ tab: 'packages' }} onClose={() => undefined} />);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  }

  /** Let the clock run. */
  async wait(milliseconds: number): Promise<void> {
    await act(async () => {
      await vi.advanceTimersByTimeAsync(milliseconds);
    });
  }

  /** Choose packages in the field, and ask for the plan. */
  async askToInstall(...packages: string[]): Promise<void> {
    await this.page.click(this.button('Install…'));
    for (const each of packages) {
      await this.page.type(this.field, each);
      await this.page.press(this.field, 'Enter');
    }
    await this.page.click(this.button('Show the plan'));
    await this.wait(1_000);
  }

  /** The change goes on, or ends, and the lists are read. */
  async becomes(fields: Partial<IOperation>): Promise<void> {
    this.w.server.set('GET operations', [{ ...this.change, ...fields }]);
    await act(async () => this.w.model.refreshOperations());
    await this.page.settle();
  }

  /** Another change comes after the one before. */
  async another(letter: string): Promise<void> {
    this.change = changeOf({ id: `20261121-090300-0000000${letter}` });
    this.haveLog(this.change.id);
    await this.becomes({});
  }

  sent(path: string): ICall[] {
    return this.w.server.writes.filter(call => call.path.startsWith(path));
  }

  /** What was asked of the environment. */
  get bodies(): IChanges[] {
    return this.sent('environments').map(call => call.body as IChanges);
  }

  button(name: string): HTMLElement {
    return this.page.button(name);
  }

  buttons(name: string): HTMLElement[] {
    return this.page.all('button').filter(node => (node.getAttribute('aria-label') ?? node.textContent) === name);
  }

  get plan(): HTMLElement {
    return this.page.get('aside[aria-label="Plan"]');
  }

  get field(): HTMLInputElement {
    return this.page.get<HTMLInputElement>('[data-field="packages"]');
  }

  /** The check boxes of the rows. */
  get boxes(): HTMLInputElement[] {
    return this.page.all('tbody input[type="checkbox"]') as HTMLInputElement[];
  }

  get rows(): string[] {
    return this.page.all('.jp-HpcEnv-tableArea tbody tr').map(row => row.textContent ?? '');
  }

  clear(): void {
    this.page?.clear();
    vi.useRealTimers();
    vi.restoreAllMocks();
  }

  private haveLog(id: string): void {
    this.w.server.set(`GET operations/${id}/log`, { lines: [{ at: 0, kind: 'output', text: 'Downloading' }], offset: 9, complete: true });
    this.w.server.set(`DELETE operations/${id}`, undefined);
  }
}
