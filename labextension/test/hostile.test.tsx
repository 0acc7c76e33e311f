/** Whatever stands in a record, a log or an answer is drawn as text: no element, no class, no direction of its own. */
import { Notification } from '@jupyterlab/apputils';
import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { PlanBox } from '../src/create/preview';
import { ChangePlan } from '../src/environment/change-plan';
import type { Changing } from '../src/environment/changing';
import { MoveForm } from '../src/environment/move';
import { EnvironmentPage } from '../src/environment/page';
import { ShareForm } from '../src/environment/sharing';
import { connectNotices } from '../src/notices';
import { OperationPage } from '../src/operation/page';
import { EnvironmentList } from '../src/panel/list';
import { PanelState } from '../src/panel/state';
import { draw, IDrawn } from './draw';
import {
  checked,
  conda,
  detail,
  environment,
  IWorld,
  module,
  moduleSet,
  operation,
  plan,
  planned,
  Refusal,
  site,
  trans,
  venv,
  world
} from './facts';

const CORPUS: Record<string, string> = {
  html: '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><b>bold</b>',
  svg: '</span><svg onload="window.hacked=1"><style>*{display:none}</style>',
  attribute: '" onmouseover="window.hacked=1" class="jp-mod-evil" style="position:fixed',
  entity: '&lt;img src=x onerror=alert(1)&gt; &#60;b&#62;',
  link: 'javascript:window.hacked=1 https://example.org/ [a](javascript:alert(1))',
  template: '${window.hacked=1} {{7*7}} %1 %2 %s',
  ansi: '\u001b[31mred\u001b[2J\u001b[1;1H\u001b[?1049h',
  osc: 'a\u001b]52;c;ZXZpbA==\u0007b\u001b]8;;https://example.org/\u001b\\c\u009d0;t\u009c',
  bidi: 'safe\u202egnp.exe\u2066x\u2069\u200f\u061c',
  nul: 'a\u0000b\u0007c\u0008d\u007fe\u0085f',
  long: 'x'.repeat(20_000),
  emoji: '👩‍💻🏳️‍🌈'.repeat(20),
  newline: 'one\r\ntwo\u2028three',
  prototype: '__proto__'
};
/** What the server makes from lists of words, or checks by its grammar. */
const KEPT = new Set(['id', 'state', 'origin', 'verb', 'kind', 'name_pattern', 'level', 'system', 'language']);
const TAGS = new Set(
  ('a article aside b bdi button circle code dd details div dl dt fieldset figure footer form g h1 h2 h3 h4 header hr i input kbd label ' +
    'legend li main mark nav ol optgroup option p path pre rect section select small span strong summary svg table tbody td textarea th ' +
    'thead time tr ul line polyline polygon ellipse defs title use').split(' ')
);

/** Put *text* into every field; *path* fields that are not free stay. */
function poisoned<T>(value: T, text: string): T {
  if (typeof value === 'string') {
    return text as T;
  }
  if (Array.isArray(value)) {
    const items = value as unknown[];
    return items.map((each, index): unknown => poisoned(each, `${text} ${index}`)) as T;
  }
  if (value && typeof value === 'object') {
    const fields = Object.entries(value as Record<string, unknown>).map(([key, each]): [string, unknown] => [
      key,
      KEPT.has(key) && typeof each === 'string' ? each : poisoned(each, text)
    ]);
    return Object.fromEntries(fields) as T;
  }
  return value;
}

/** What is drawn, by what it is made of. */
function shape(host: HTMLElement): { tags: string[]; classes: string[]; attributes: string[] } {
  const nodes = [...host.querySelectorAll('*')];
  return {
    tags: nodes.map(node => node.tagName.toLowerCase()),
    classes: nodes.flatMap(node => [...node.classList]),
    attributes: nodes.flatMap(node => node.getAttributeNames())
  };
}

const STEERING = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/;

let w: IWorld;
let drawn: IDrawn | undefined;
beforeEach(() => {
  w = world();
  delete (window as { hacked?: unknown }).hacked;
});
afterEach(() => {
  drawn?.clear();
  drawn = undefined;
  vi.restoreAllMocks();
});

const ROUTES = ['site', 'environments', 'operations', 'trash'];

/** Draw a screen, with every free text in what the server sends being *text*, or as usual. */
async function screen(name: string, text: string | null): Promise<IDrawn> {
  w = world();
  const put = (route: string, answer: object): void => w.server.set(route, text === null ? answer : poisoned(answer, text));
  const building = operation('hydro', 3, { progress: { packages_done: 2, packages_total: 3, bytes_done: 7, bytes_total: 9 } });
  const error = { message: 'why', reason: 'said', code: 'build_failed', hints: ['one', 'do'] };
  const failed = { ...operation('wrecked', 2, { state: 'failed', error }) };
  const request = { install: ['numpy>=2'] };
  const changed = operation('climate', 2, { id: '20261121-090000-0000000c', verb: 'change', state: 'failed', error, request });
  const modules = { ...moduleSet(['GCC/14', 'MPI/5'], ['zlib/1']), messages: ['said'] };
  const drift = [{ module: 'GCC/14', what: 'changed', message: 'why' }];
  const rebuilt = operation('climate', 2, { id: '20261121-100000-0000000d', verb: 'rebuild', state: 'failed', error });
  const state = name === 'trouble' ? 'module_missing' : name === 'gone' ? 'missing' : 'ready';
  const whose = name === 'theirs' ? { origin: 'shared' as const, kernels: [] } : {};
  const shared = { group: 'g' };
  const facts = detail({ variables: { A: 'b' }, build_variables: { CC: 'c' }, message: 'why', state, modules, drift, shared, ...whose });
  const size = { environment: facts.id, name: 'climate', location: 'home', bytes: 7, files: 9, shared_bytes: 8, measuring: false, message: 'why' };
  const packages = [{ name: 'numpy', version: '2', source: 'wheel' }];
  const planOf = plan({ requested: ['a'], notes: ['n'], pip: ['p'], warnings: ['w'], remove: [planned('r')] });
  const hostile = text === null ? { plan: planOf, error } : poisoned({ plan: planOf, error }, text);
  const lines = [
    { at: 0, kind: 'step', text: 'Resolve' },
    { at: 1, kind: 'output', text: 'out' },
    { at: 2, kind: 'warning', text: 'careful' },
    { at: 3, kind: 'error', text: 'no' }
  ];
  const rows = [
    environment({ message: 'why' }),
    environment({ name: 'bad', state: 'broken', message: 'why' }),
    environment({ name: 'lost', state: 'module_missing', message: 'The module “why” is gone.' }),
    environment({ name: 'theirs', origin: 'shared' }),
    environment({ name: 'found', origin: 'foreign' })
  ];
  put('GET environments', rows);
  put('GET operations', name === 'gone' ? [rebuilt] : [building, failed, changed]);
  put(`GET environments/${facts.id}/size`, size);
  put('GET modules/loaded', { system: 'lmod', loaded: ['GCC/14'], collections: ['mine'] });
  const found = module('SciPy/1', { description: 'd', extensions: ['b/2'], prerequisites: [['GCC/14']] });
  w.server.set('GET modules', { system: 'lmod', version: '8', total: 7, modules: [text === null ? found : poisoned(found, text)] });
  put('POST modules/check', checked(['GCC/14'], { messages: ['said'], python: '/p', brings_packages: true }));
  put('GET trash', [{ ...environment({ name: 'gone' }), path: '/t', deleted: '2026-11-21T08:00:00Z', expires: '2026-11-28T08:00:00Z' }]);
  put(`GET environments/${facts.id}`, facts);
  put(`GET environments/${facts.id}/activation`, {
    dialect: 'lmod',
    command: '. activate',
    text: 'the file',
    path: '/p',
    use: 'module use /p'
  });
  put(`GET environments/${facts.id}/findings`, [
    { code: 'x', message: 'm', breaks: 'b', severity: 'risk', environment: facts.id, path: '/p', fix: '', advice: 'a' }
  ]);
  put(`GET environments/${facts.id}/packages`, packages);
  put('GET site', name === 'conda' ? site({ managers: [conda(), venv({ description: 'why' })] }) : site());
  for (const each of [building, failed, changed, rebuilt]) {
    put(`GET operations/${each.id}/log`, { lines, offset: 9, complete: true });
  }
  if (name === 'refused') {
    for (const route of ROUTES) {
      w.server.set(`GET ${route}`, new Refusal(500, text === null ? error : poisoned(error, text)));
    }
  }
  await w.model.refresh();
  const known = (id: string, fallback: typeof building): typeof building => w.model.operations.find(each => each.id === id) ?? fallback;
  const acts = { onChange: () => undefined, onRetry: async () => undefined, onForget: async () => undefined };
  switch (name) {
    case 'list':
    case 'refused':
      return draw(w, <EnvironmentList state={new PanelState(null)} />);
    case 'build':
      return draw(w, <OperationPage operation={known(building.id, building)} arrived={false} {...acts} />);
    case 'failure':
      return draw(w, <OperationPage operation={known(failed.id, failed)} arrived={false} {...acts} />);
    case 'create': {
      const filled = { name: 'a', packages: ['b'], python: 'c', requirements: 'd', location: 'e', display_name: 'f', variables: { A: 'b' }, modules: ['g'] };
      const page = await draw(w, <CreatePage draft={newDraft(text === null ? filled : poisoned(filled, text))} onSubmitted={() => undefined} />);
      await page.type(page.get('[aria-label="Search modules"]'), 'x');
      // found by the search, and looked at by the check
      const drawnAll = (): boolean => page.all('.jp-HpcEnv-list li, .jp-HpcEnv-words').length === 2;
      for (let turn = 0; turn < 500 && !drawnAll(); turn++) {
        await page.settle();
      }
      expect(drawnAll()).toBe(true);
      return page;
    }
    case 'conda': {
      const virtual_packages = { cuda: 'c', glibc: 'd' };
      const filled = { name: 'a', packages: ['b'], python: 'c', file: 'd', channels: ['e'], virtual_packages };
      const page = await draw(w, <CreatePage draft={newDraft(text === null ? filled : poisoned(filled, text))} onSubmitted={() => undefined} />);
      await page.click(page.button('Create'));
      expect(page.all('[data-field="channels"], [data-field="cuda"]')).toHaveLength(2);
      return page;
    }
    case 'copy': {
      const page = await draw(w, <CreatePage draft={newDraft({ clone_of: facts.id })} onSubmitted={() => undefined} />);
      expect(page.text()).toContain('A copy of ');
      return page;
    }
    case 'forms': {
      const about = { ...(text === null ? facts : poisoned(facts, text)), location: 'x' };
      const ends = { onClose: () => undefined, onDone: () => undefined };
      const page = await draw(w, <><ShareForm onMove={() => undefined} environment={about} {...ends} /><MoveForm environment={about} {...ends} /></>);
      expect(page.all('form')).toHaveLength(2);
      return page;
    }
    // as a request brings them, which makes them showable
    case 'plan':
      return draw(w, <PlanBox preview={{ is: 'done', plan: hostile.plan, operation: building }} />);
    case 'change': {
      const wish = { verb: 'install' as const, packages: ['a', 'b'] };
      const preview = { is: 'done' as const, plan: hostile.plan, operation: building };
      const changing = { preview, turn: 1, refused: null, sending: false } as unknown as Changing;
      const about = { environment: text === null ? facts : poisoned(facts, text), wish: text === null ? wish : { ...wish, packages: [text] } };
      return draw(w, <ChangePlan {...about} changing={changing} onCancel={() => undefined} />);
    }
    case 'no plan':
      return draw(w, <PlanBox preview={{ is: 'failed', error: hostile.error }} />);
    default:
      return draw(w, <EnvironmentPage id={facts.id} arrived={false} onClose={() => undefined} />);
  }
}

/** What is drawn as text; a field that a person writes in keeps what is in it. */
function words(host: HTMLElement): string {
  const copy = host.cloneNode(true) as HTMLElement;
  copy.querySelectorAll('textarea').forEach(field => field.remove());
  return copy.textContent ?? '';
}

/** Open all groups, tabs and folds of a screen, and say after each what is drawn. */
async function eachPart(page: IDrawn, look: () => void): Promise<void> {
  look();
  for (const group of page.all('[role="treeitem"][aria-expanded="false"]')) {
    await page.click(group);
    look();
  }
  for (const fold of page.all('details:not([open])')) {
    fold.setAttribute('open', '');
    await page.settle();
    look();
  }
  for (let index = 0; index < page.all('[role="tab"]').length; index++) {
    await page.click(page.all('[role="tab"]')[index]);
    look();
  }
}

const SCREENS = ['list', 'refused', 'build', 'failure', 'create', 'conda', 'plan', 'no plan', 'change', 'environment', 'trouble', 'gone', 'theirs', 'copy', 'forms'];

describe.each(SCREENS)('the screen “%s”', name => {
  it.each(Object.keys(CORPUS))('draws %s as text', async kind => {
    const known = { tags: new Set<string>(), classes: new Set<string>() };
    drawn = await screen(name, null);
    const plainPage = drawn;
    await eachPart(plainPage, () => {
      const usual = shape(plainPage.host);
      usual.tags.forEach(tag => known.tags.add(tag));
      usual.classes.forEach(each => known.classes.add(each));
    });
    drawn.clear();

    drawn = await screen(name, CORPUS[kind]);
    const page = drawn;
    let parts = 0;
    await eachPart(page, () => {
      parts++;
      const { tags, classes, attributes } = shape(page.host);
      expect(tags.filter(tag => !TAGS.has(tag))).toEqual([]);
      expect(classes.filter(each => !/^[A-Za-z][\w-]*$/.test(each) || each === 'jp-mod-evil')).toEqual([]);
      expect(attributes.filter(each => each.startsWith('on'))).toEqual([]);
      expect(page.all('img, script, iframe, object, embed, link, meta, style, base')).toEqual([]);
      for (const link of page.all('[href], [src]')) {
        expect(link.getAttribute('href') ?? link.getAttribute('src')).not.toMatch(/^\s*javascript:/i);
      }
      for (const styled of page.all('[style]')) {
        expect(styled.style.position).not.toBe('fixed');
      }
      expect(STEERING.exec(words(page.host))).toBeNull();
      for (const told of page.all('[title], [aria-label]')) {
        expect(STEERING.exec((told.getAttribute('title') ?? '') + (told.getAttribute('aria-label') ?? ''))).toBeNull();
      }
    });
    expect(parts).toBeGreaterThan(0);
    expect((window as { hacked?: unknown }).hacked).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    // the frame of the screen stands: what has a place without the hostile text has it with it, too
    const frame = [...known.classes].filter(each => /^jp-HpcEnv(-(page|panel|list|split|pageHead|row|rowText|rowName|rowActions|section|aside))?$/.test(each));
    const { classes } = shape(page.host);
    if (page.all('[role="tab"]').length === 0) {
      expect(frame.filter(each => !classes.includes(each))).toEqual([]);
    }
    expect(w.server.writes).toEqual([]);
  });
});

describe('notifications', () => {
  it.each(Object.keys(CORPUS))('say %s as text', async kind => {
    const said: string[] = [];
    for (const way of ['success', 'error', 'info'] as const) {
      vi.spyOn(Notification, way).mockImplementation((text: string) => {
        said.push(text);
        return '';
      });
    }
    connectNotices(w.model, w.actions, trans);
    const put = (state: 'running' | 'failed' | 'succeeded'): void => {
      const error = state === 'failed' ? { message: 'why', reason: '', code: 'build_failed', hints: [] } : null;
      w.server.set('GET operations', [poisoned(operation('hydro', 3, { state, error }), CORPUS[kind])]);
    };
    put('running');
    await w.model.refresh();
    put('failed');
    await w.model.refresh();
    expect(said).toHaveLength(1);
    expect(STEERING.exec(said[0])).toBeNull();
  });
});
