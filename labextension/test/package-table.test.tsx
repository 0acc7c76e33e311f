import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IEnvironmentDetail } from '../src/tokens';
import { Screen } from './changing';
import { detail, moduleSet } from './facts';

let s: Screen;
beforeEach(() => {
  s = new Screen();
});
afterEach(() => s.clear());

describe('the table of packages', () => {
  it('is one tab stop, and keys move, select and plan', async () => {
    await s.open();
    expect(s.page.all('[data-cell][tabindex="0"]').map(node => node.getAttribute('aria-label'))).toEqual(['Select attrs']);
    s.boxes[0].focus();
    await s.page.press(s.boxes[0], 'ArrowDown');
    await s.page.press(document.activeElement as HTMLElement, 'ArrowDown');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Select numpy');
    expect(s.page.all('[data-cell][tabindex="0"]')).toEqual([document.activeElement]);
    await s.page.press(s.boxes[2], 'ArrowRight');
    await s.page.press(document.activeElement as HTMLElement, 'ArrowRight');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Remove numpy');
    await s.page.press(document.activeElement as HTMLElement, 'Home');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Remove attrs');
    await s.page.press(document.activeElement as HTMLElement, '/');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Filter packages');
    await s.page.press(document.activeElement as HTMLElement, 'ArrowDown');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Select attrs');
    await s.page.press(document.activeElement as HTMLElement, 'Delete');
    expect(s.bodies).toEqual([{ remove: ['attrs'], dry_run: true }]);
  });

  it('acts on what is selected and seen, and on nothing else', async () => {
    await s.open();
    await s.page.click(s.page.get('thead input[type="checkbox"]'));
    expect(s.page.text()).toContain('3 packages selected');
    expect(s.page.all('tr[aria-selected="true"]')).toHaveLength(3);
    await s.page.type(s.page.get('[aria-label="Filter packages"]'), 'py');
    expect(s.page.text()).toContain('2 packages selected');
    await s.page.click(s.button('Remove…'));
    expect(s.bodies).toEqual([{ remove: ['ipykernel', 'numpy'], dry_run: true }]);
    await s.page.press(s.boxes[0], 'Escape');
    expect(s.page.all('tr[aria-selected="true"]')).toEqual([]);
  });

  it('selects a range with Shift', async () => {
    await s.open();
    await s.page.click(s.boxes[0]);
    await s.page.click(s.boxes[2], { shiftKey: true });
    expect(s.boxes.map(box => box.checked)).toEqual([true, true, true]);
    await s.page.click(s.button('Update…'));
    expect(s.bodies).toEqual([{ update: ['attrs', 'ipykernel', 'numpy'], dry_run: true }]);
  });

  it('asks pip for what pip has put into an environment of conda', async () => {
    s.installed = [
      { name: 'gdal', version: '3.10', source: 'conda https://conda.example.org/conda-forge' },
      { name: 'rich', version: '14.1', source: 'wheel' }
    ];
    await s.open({ manager: 'conda', packages: ['conda-forge::gdal', 'pip: rich'] });
    expect(s.boxes.map(box => box.getAttribute('aria-label'))).toEqual(['Select gdal', 'Select rich']);
    expect(s.rows.map(row => row.endsWith('you'))).toEqual([true, true]);
    await s.page.click(s.page.get('thead input[type="checkbox"]'));
    await s.page.click(s.button('Remove…'));
    expect(s.bodies).toEqual([{ remove: ['gdal', 'pip: rich'], dry_run: true }]);
    await s.page.click(s.button('Install…'));
    await s.page.type(s.field, 'python-dateutil >=2.9, numpy pip: six>=1.17');
    await s.page.press(s.field, 'Enter');
    await s.page.click(s.button('Show the plan'));
    expect(s.bodies.at(-1)).toEqual({ install: ['python-dateutil >=2.9', 'numpy', 'pip: six>=1.17'], dry_run: true });
  });

  it('leaves out the channels of a pasted command, and says so', async () => {
    s.installed = [{ name: 'gdal', version: '3.10', source: 'conda https://conda.example.org/conda-forge' }];
    await s.open({ manager: 'conda' });
    await s.page.click(s.button('Install…'));
    await s.page.type(s.field, 'conda install -c bioconda samtools');
    await s.page.press(s.field, 'Enter');
    expect(s.page.text()).toContain('left out: bioconda');
    await s.page.click(s.button('Show the plan'));
    expect(s.bodies).toEqual([{ install: ['samtools'], dry_run: true }]);
  });

  it.each([
    ['shared', { origin: 'shared', owner: 'bea' }],
    ['found elsewhere', { origin: 'foreign' }],
    ['of modules alone', { manager: 'modules' }],
    ['that can not be used', { state: 'python_gone' }],
    ['of a newer version', { state: 'newer' }]
  ] as [string, Partial<IEnvironmentDetail>][])('is only looked at where it is one %s', async (_, fields) => {
    await s.open(fields);
    expect(s.rows).toHaveLength(3);
    expect(s.page.all('input[type="checkbox"], [data-cell]')).toEqual([]);
    expect([...s.buttons('Install…'), ...s.buttons('Update all…')]).toEqual([]);
    expect(s.page.all('[role="grid"]')).toEqual([]);
  });

  it('asks for a package before it plans an installation', async () => {
    await s.open();
    await s.page.click(s.button('Install…'));
    expect(document.activeElement).toBe(s.field);
    await s.page.click(s.button('Show the plan'));
    expect(s.page.get('[role="alert"]').textContent).toBe('Name a package first.');
    await s.page.type(s.field, 'rich');
    await s.page.press(s.field, 'Enter', { ctrlKey: true });
    expect(s.bodies).toEqual([{ install: ['rich'], dry_run: true }]);
  });
});

describe('an edit', () => {
  it('shows what the server wants known of it, on every tab, until that is closed', async () => {
    s.w.server.haveModules([]);
    await s.open({ modules: moduleSet(['GCC/14']) });
    vi.useRealTimers();
    await s.w.model.modules.refresh();
    s.w.server.set(`PATCH environments/${detail().id}`, detail({ warnings: ['The modulefile could not be written.'] }));
    const tab = (name: string): HTMLElement => s.page.all('[role="tab"]').find(node => node.textContent?.startsWith(name)) as HTMLElement;
    await s.page.click(tab('Modules'));
    await s.page.click(s.button('Change…'));
    await s.page.click(s.button('Update'));
    expect(s.page.get('.jp-HpcEnv-warnings').textContent).toContain('The modulefile could not be written.');
    await s.page.click(tab('Overview'));
    expect(s.page.get('.jp-HpcEnv-warnings').textContent).toContain('The modulefile could not be written.');
    await s.page.click(s.button('Close'));
    expect(s.page.all('.jp-HpcEnv-warnings')).toEqual([]);
  });
});
