/** What the server says stands as it was said; and what was cancelled did not go wrong. */
import React from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seconds } from '../src/format';
import { Steps } from '../src/operation/steps';
import { EnvironmentList } from '../src/panel/list';
import { PanelState } from '../src/panel/state';
import { HpcEnvError } from '../src/request';
import { Acts, ID, NO } from './acts';
import { plannedAs, Screen } from './changing';
import { draw, IDrawn } from './draw';
import { environment, operation, Refusal, trans, world } from './facts';

const BROKEN = { message: 'The file <b>site.py</b> can not be read.', reason: '', code: 'broken_configuration', hints: ['Mend <i>line 3</i>.'] };

let drawn: IDrawn | undefined;
afterEach(() => {
  drawn?.clear();
  drawn = undefined;
});

describe('a server that is out of service', () => {
  it.each([
    [0, {}, true],
    [502, {}, true],
    [503, {}, true],
    [503, { message: 'Service Unavailable' }, true],
    [504, {}, true],
    [503, BROKEN, false],
    [503, { message: 'The index does not answer.', code: 'index_unreachable' }, false],
    [500, {}, false]
  ])('with status %i and %j is not there: %s', (status, body, offline) => {
    expect(new HpcEnvError(body, status).offline).toBe(offline);
  });

  it('says in the list what is broken, before and after there was one', async () => {
    const w = world();
    w.server.set('GET environments', new Refusal(503, BROKEN));
    await w.model.refresh();
    drawn = await draw(w, <EnvironmentList state={new PanelState(null)} />);
    expect(drawn.get('[role="alert"]').textContent).toContain('The file <b>site.py</b> can not be read.Mend <i>line 3</i>.');
    expect(drawn.text()).not.toContain('does not answer');
    w.server.set('GET environments', [environment()]);
    await drawn.click(drawn.button('Try again'));
    w.server.set('GET environments', new Refusal(503, BROKEN));
    await w.model.refresh();
    await drawn.settle();
    expect(drawn.get('.jp-HpcEnv-stale').textContent).toContain('The file <b>site.py</b> can not be read. Mend <i>line 3</i>.');
    expect(drawn.all('.jp-HpcEnv-stale b, .jp-HpcEnv-stale i')).toEqual([]);
  });

  it('says so beside the button, too, and has not taken what it refused', async () => {
    const s = new Acts();
    const page = await s.open({ state: 'missing' });
    s.w.server.set(`POST environments/${ID}/rebuild`, new Refusal(503, BROKEN));
    await page.click(page.button('Build again'));
    expect(page.get('[role="alert"]').textContent).toContain('The file <b>site.py</b> can not be read.Mend <i>line 3</i>.');
    await page.click(page.button('Build again'));
    expect(new Set(s.w.server.writes.map(call => call.headers.get('Idempotency-Key'))).size).toBe(2);
    s.clear();
  });
});

describe('the plan of a change', () => {
  let s: Screen;
  beforeEach(() => {
    s = new Screen();
  });
  afterEach(() => s.clear());

  it('goes away on Escape, and the keyboard is where it came from', async () => {
    s.planning = plannedAs();
    await s.open();
    const remove = s.button('Remove attrs');
    remove.focus();
    await s.page.click(remove);
    await s.wait(1_000);
    const heading = s.plan.querySelector('h2') as HTMLElement;
    expect(document.activeElement).toBe(heading);
    await s.page.press(heading, 'Escape');
    await new Promise(requestAnimationFrame);
    expect(s.page.all('aside[aria-label="Plan"]')).toEqual([]);
    expect(document.activeElement).toBe(remove);
    expect(s.bodies.filter(body => !body.dry_run)).toEqual([]);
  });
});

describe('a step', () => {
  it.each([
    ['cancelled', 'Resolve, cancelled', false],
    ['failed', 'Resolve, failed', true]
  ] as const)('of an operation that was %s says so', async (state, told, red) => {
    const what = operation('climate', 2, { state: 'failed' });
    drawn = await draw(world(), <Steps operation={{ ...what, state, error: NO }} />);
    const line = drawn.all('li')[1];
    expect(line.textContent).toContain(told);
    expect(line.querySelector('.jp-HpcEnv-error') !== null).toBe(red);
    expect(line.className).toBe(red ? 'fail' : 'todo');
  });
});

it('a moment is no nothing', () => {
  expect([0.02, 0.06, 0].map(each => seconds(each, trans))).toEqual(['under 0.1 s', '0.1 s', '0.0 s']);
});
