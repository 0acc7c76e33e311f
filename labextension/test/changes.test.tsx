import { Notification } from '@jupyterlab/apputils';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectNotices } from '../src/notices';
import { changeOf, NONE, plannedAs, planOf, Screen } from './changing';
import { detail, plan, planned, Refusal, trans } from './facts';

let s: Screen;
beforeEach(() => {
  s = new Screen();
});
afterEach(() => s.clear());

describe('a change of packages', () => {
  it('is planned before anything is changed, and shows what would come, change and go', async () => {
    await s.open();
    const newer = { name: 'numpy', old: planned('numpy', { version: '2.2.6' }), new: planned('numpy', { version: '2.3.3', cached: true }) };
    s.planning = plannedAs({ change: [newer], remove: [planned('attrs')], notes: ['So it is.'], warnings: ['Mind it.'], download_bytes: 3_000_000 });
    s.w.kernels.push('hpcenv-home.climate');
    await s.askToInstall('rich');
    expect(s.bodies).toEqual([{ install: ['rich'], dry_run: true }]);
    expect(s.plan.querySelector('h2')?.textContent).toBe('Plan: install rich');
    const told = s.plan.textContent ?? '';
    for (const part of ['3', 'packages change', 'over 3 MB', 'New, 1', 'rich14.1', '2.2.6 → 2.3.3', 'Goes, 1', 'Warning: Mind it.', 'So it is.']) {
      expect(told).toContain(part);
    }
    expect(told).toContain('1 running kernel keeps the old packages until it is restarted.');
    expect(told).toContain('everything is put back');
    expect(told).toContain('jupyter hpcenv install climate rich');
    // nobody needs the operation of the plan any more, and no list has it
    expect(s.sent('operations').map(call => call.method)).toEqual(['DELETE']);
    expect(s.w.model.operations).toEqual([]);
  });

  it('is applied as it was planned, once, and shown like a build', async () => {
    await s.open();
    await s.askToInstall('rich>=14');
    await s.page.click(s.button('Apply'));
    expect(s.bodies.slice(1)).toEqual([{ install: ['rich>=14'] }]);
    expect(s.sent('environments')[1].headers.get('Idempotency-Key')).toMatch(/^[0-9a-f-]{36}$/);
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
    const shown = s.page.get('[aria-label="Changing packages of climate"]');
    expect(shown.querySelector('[role="progressbar"]')?.getAttribute('aria-valuetext')).toBe('Step 2 of 6, Resolve');
    expect(shown.querySelector('[role="log"]')?.textContent).toContain('Downloading');
    // one change at a time
    expect(s.page.all('input[type="checkbox"]')).toEqual([]);
    expect(s.buttons('Install…')).toEqual([]);
    expect(s.page.get('h1').parentElement?.textContent).toContain('changing packages');
  });

  it('is sent once, however often the button is pressed', async () => {
    await s.open();
    await s.askToInstall('rich');
    const apply = s.button('Apply');
    await act(async () => {
      apply.click();
      apply.click();
    });
    await s.page.settle();
    expect(s.bodies.filter(body => !body.dry_run)).toEqual([{ install: ['rich'] }]);
  });

  it('keeps its key when it has to be sent again', async () => {
    await s.open();
    await s.askToInstall('rich');
    s.w.server.offline = true;
    await s.page.click(s.button('Apply'));
    expect(s.plan.querySelector('[role="alert"]')?.textContent).toBe('The server does not answer. Nothing was lost; try again.');
    s.w.server.offline = false;
    await s.page.click(s.button('Apply'));
    const keys = s.sent('environments').slice(1).map(call => call.headers.get('Idempotency-Key'));
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    await s.becomes({});
    await s.becomes({ state: 'succeeded' });
    await s.askToInstall('six');
    await s.page.click(s.button('Apply'));
    expect(s.sent('environments').at(-1)?.headers.get('Idempotency-Key')).not.toBe(keys[0]);
  });

  it('says when it is done what is other now, and what running kernels have of it', async () => {
    s.w.kernels.push('hpcenv-home.climate');
    await s.open();
    await s.askToInstall('rich');
    await s.page.click(s.button('Apply'));
    s.installed = [...s.installed, { name: 'rich', version: '14.1', source: 'wheel' }];
    await s.becomes({ state: 'succeeded', result: { plan: { ...plan({ install: [planned('rich', { version: '14.1' })], warnings: ['Mind it.'] }) } } });
    const told = s.page.get('.jp-HpcEnv-ended').textContent;
    expect(told).toContain('Installed rich 14.1.');
    expect(told).toContain('1 running kernel keeps what it has imported until it is restarted.');
    expect(told).toContain('Warning: Mind it.');
    expect(s.rows.some(row => row.includes('rich14.1'))).toBe(true);
    // one that is started now has all
    s.w.kernels.push('hpcenv-home.climate');
    await act(async () => s.w.model.touch());
    expect(s.page.get('.jp-HpcEnv-ended').textContent).toContain('1 running kernel keeps');
    await s.page.click(s.button('Close'));
    expect(s.page.all('.jp-HpcEnv-ended')).toEqual([]);
  });

  it('that failed says why, with the log, and is planned again or forgotten', async () => {
    await s.open();
    await s.askToInstall('rich');
    await s.page.click(s.button('Apply'));
    const error = { ...NONE, code: 'preflight_failed', message: 'The kernel did not start; everything was put back.', hints: ['Take comm 0.2.'] };
    await s.becomes({ state: 'failed', error });
    const told = s.page.get('[role="alert"]').textContent;
    for (const part of ['The kernel did not start', 'everything was put back', 'Take comm 0.2.']) {
      expect(told).toContain(part);
    }
    expect(s.page.all('[role="log"]')).toHaveLength(1);
    await s.page.click(s.button('Plan again'));
    expect(s.bodies.at(-1)).toEqual({ install: ['rich'], dry_run: true });
    await s.page.click(s.button('Cancel'));
    s.w.server.set('GET operations', []);
    await s.page.click(s.button('Remove from list'));
    expect(s.sent(`operations/${s.change.id}`).map(call => call.method)).toEqual(['DELETE']);
    expect(s.page.all('[role="alert"]')).toEqual([]);
  });

  it('that was killed can be repaired', async () => {
    s.w.server.set('GET operations', [changeOf({ state: 'interrupted' })]);
    await s.open();
    expect(s.page.get('[role="alert"]').textContent).toContain('The change was interrupted');
    await s.page.click(s.button('Repair'));
    expect(s.sent('environments').map(call => call.path.split('?')[0])).toEqual([`environments/${detail().id}/repair`]);
    expect(s.page.get('.jp-HpcEnv-change').getAttribute('aria-label')).toBe('Repairing climate');
  });

  it('that was cancelled is as before, unless the server says otherwise', async () => {
    await s.open();
    await s.becomes({});
    await s.becomes({ state: 'cancelled', error: { ...NONE, code: 'cancelled', message: 'It was cancelled; nothing was left behind.' } });
    expect(s.page.get('.jp-HpcEnv-ended').textContent).toBe('Cancelled. The packages are as they were.');
    await s.another('d');
    await s.becomes({ state: 'cancelled', error: { ...NONE, code: 'interrupted', message: 'Its worker was killed.' } });
    expect(s.page.get('[role="alert"]').textContent).toContain('The change was cancelled, but not taken back');
    expect(s.page.get('[role="alert"]').textContent).toContain('Its worker was killed.');
    expect(s.buttons('Repair')).toHaveLength(1);
  });

  it('that ended well before the page was opened is not told again', async () => {
    s.w.server.set('GET operations', [changeOf({ state: 'succeeded' })]);
    await s.open();
    expect(s.page.all('.jp-HpcEnv-ended, .jp-HpcEnv-change')).toEqual([]);
    expect(s.buttons('Install…')).toHaveLength(1);
  });
});

describe('a plan', () => {
  it('that can not be made says why in its place', async () => {
    await s.open();
    s.planning = planOf({ state: 'failed', error: { ...NONE, message: 'They exclude each other.', reason: 'a needs b<2', code: 'requirements_conflict', hints: ['Loosen one.'] } });
    await s.askToInstall('a', 'b>=2');
    expect(s.plan.querySelector('[role="alert"]')?.textContent).toBe('They exclude each other.Loosen one.');
    expect(s.plan.querySelector('.jp-HpcEnv-reason')?.textContent).toBe('a needs b<2');
    expect(s.buttons('Apply')).toEqual([]);
    s.planning = plannedAs();
    await s.page.click(s.button('Plan again'));
    await s.wait(1_000);
    expect(s.buttons('Apply')).toHaveLength(1);
  });

  it('that is refused at once says so, too', async () => {
    await s.open();
    const refusal = new Refusal(409, { ...NONE, message: 'climate is being updated.', code: 'busy', hints: ['Wait for it.'] });
    s.w.server.set(`POST environments/${detail().id}/changes`, refusal);
    await s.page.click(s.button('Update all…'));
    expect(s.plan.querySelector('[role="alert"]')?.textContent).toBe('climate is being updated.Wait for it.');
    expect(s.plan.textContent).toContain('jupyter hpcenv update climate --all');
  });

  it('by which nothing would change has nothing to apply', async () => {
    await s.open();
    s.planning = plannedAs({ install: [] });
    await s.page.click(s.button('Update all…'));
    await s.wait(1_000);
    expect(s.plan.textContent).toContain('all is as new as it can be');
    expect(s.buttons('Apply')).toEqual([]);
    // where a note says why something stays, it is not the newest
    s.planning = plannedAs({ install: [], notes: ['numpy stays at 2.2.6.'] });
    await s.page.click(s.button('Update all…'));
    await s.wait(1_000);
    expect(s.plan.textContent).toContain('Nothing would change.');
    expect(s.plan.textContent).toContain('numpy stays at 2.2.6.');
  });

  it('goes when the field changes, and the field stays when the plan goes', async () => {
    await s.open();
    await s.askToInstall('rich');
    await s.page.type(s.field, 'six');
    await s.page.press(s.field, 'Enter');
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
    await s.page.click(s.button('Show the plan'));
    await s.page.click(s.button('Discard plan'));
    expect(s.page.all('.jp-HpcEnv-chip').map(chip => chip.textContent)).toEqual(['rich', 'six']);
    expect(s.bodies.every(body => body.dry_run)).toBe(true);
  });

  it('is cancelled while it is worked out', async () => {
    await s.open();
    s.planning = planOf();
    await s.askToInstall('rich');
    expect(s.plan.textContent).toContain('Prefix…');
    expect(s.buttons('Apply')).toEqual([]);
    await s.page.click(s.button('Cancel'));
    expect(s.sent('operations').map(call => call.path.split('?')[0])).toEqual([`operations/${s.planning.id}/cancel`]);
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
  });

  it('is dropped when somebody else changes the environment', async () => {
    await s.open();
    await s.askToInstall('rich');
    await s.becomes({});
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
    expect(s.page.get('.jp-HpcEnv-change').textContent).toContain('Changing packages of climate');
    await s.becomes({ state: 'succeeded' });
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
  });

  it('takes the focus, and gives it back to the button that asked for it', async () => {
    await s.open();
    const ask = s.button('Update numpy');
    ask.focus();
    await s.page.click(ask);
    expect(document.activeElement?.textContent).toBe('Plan: update numpy');
    await s.wait(1_000);
    expect(s.bodies).toEqual([{ update: ['numpy'], dry_run: true }]);
    await s.page.click(s.button('Cancel'));
    await act(async () => new Promise<void>(resolve => requestAnimationFrame(() => resolve())));
    expect(document.activeElement).toBe(ask);
  });

  it('is applied by Ctrl+Enter', async () => {
    await s.open();
    await s.askToInstall('rich');
    await s.page.press(s.page.get('aside[aria-label="Plan"] h2'), 'Enter', { ctrlKey: true });
    expect(s.bodies.at(-1)).toEqual({ install: ['rich'] });
  });
});

describe('what is said of a change', () => {
  it('comes once, in words of its own', async () => {
    const [success, error, info] = (['success', 'error', 'info'] as const).map(kind => vi.spyOn(Notification, kind));
    connectNotices(s.w.model, s.w.actions, trans);
    s.w.kernels.push('hpcenv-home.climate');
    await s.open();
    await s.becomes({});
    await s.becomes({ state: 'succeeded', result: { plan: { ...plan({ install: [planned('rich')] }) } } });
    expect(success.mock.calls.map(call => call[0])).toEqual([
      'Changed climate. Installed rich 1.0. 1 running kernel keeps what it has imported until it is restarted.'
    ]);
    await s.another('d');
    await s.becomes({ state: 'failed', error: { ...NONE, message: 'Everything was put back.' } });
    expect(error.mock.calls.map(call => call[0])).toEqual(['climate was not changed. Everything was put back.']);
    await s.another('e');
    await s.becomes({ state: 'cancelled' });
    expect(info.mock.calls.map(call => call[0])).toEqual(['Cancelled the change of climate. Its packages are as they were.']);
    expect(info.mock.calls[0][1]?.actions?.map(each => each.label)).toEqual(['Show']);
  });
});
