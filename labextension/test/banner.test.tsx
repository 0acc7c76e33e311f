/** Notebooks whose kernel only explains: a banner above the cells, and one notification for each start. */
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasKernel, watchKernels } from '../src/notebook/watch';
import { environment, IWorld, world } from './facts';

const EXPLAINS = { implementation: 'jupyter_hpcenv-explanation', banner: 'The environment “climate” is not there.\nIts folder is gone.' };
const WORKS = { implementation: 'ipython', banner: 'Python 3.12' };

/** A widget as JupyterLab's notebooks are, on a kernel that answers what it is told to. */
class Notebook extends MainAreaWidget {
  constructor(private first: object, readonly id_ = 'k1') {
    super({ content: new Widget() });
    this.next = first;
    Object.assign(this, { sessionContext: this.context });
    Widget.attach(this, document.body);
  }

  next: object;
  restart = vi.fn(async () => undefined);
  asked = 0;
  kernelChanged = new Signal<object, unknown>({});
  statusChanged = new Signal<object, string>({});
  connectionStatusChanged = new Signal<object, string>({});

  get context(): object {
    const { first } = this;
    const kernel = {
      id: this.id_,
      name: 'hpcenv-home.climate',
      info: Promise.resolve(first),
      restart: this.restart,
      requestKernelInfo: async () => {
        this.asked++;
        return { content: this.next };
      }
    };
    const { kernelChanged, statusChanged, connectionStatusChanged } = this;
    return { kernelChanged, statusChanged, connectionStatusChanged, session: { kernel } };
  }

  /** What the cells have above them. */
  banner(): string {
    return this.contentHeader.node.textContent ?? '';
  }

  async restarted(answer: object): Promise<void> {
    this.next = answer;
    this.statusChanged.emit('restarting');
    this.statusChanged.emit('starting');
    this.statusChanged.emit('idle');
    await settle();
  }
}

let w: IWorld;
let open: Widget[];
let error: ReturnType<typeof vi.spyOn>;
let current: Signal<object, unknown>;

/** Let promises and Lumino's messages run: these widgets draw themselves, as in JupyterLab. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    await new Promise(resolve => setTimeout(resolve, 0));
  }
}

async function watch(...widgets: Widget[]): Promise<void> {
  open = widgets;
  const shell = { widgets: () => open[Symbol.iterator](), currentChanged: current };
  watchKernels({ shell } as never, w);
  await settle();
}

beforeEach(async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
  w = world();
  current = new Signal({});
  w.server.set('GET environments', [environment()]);
  await w.model.refresh();
  error = vi.spyOn(Notification, 'error').mockReturnValue('');
});
afterEach(() => {
  open.forEach(widget => widget.dispose());
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  vi.restoreAllMocks();
});

describe('a kernel that can not start', () => {
  it('is spoken of above the cells, as text', async () => {
    const notebook = new Notebook({ ...EXPLAINS, banner: '<img src=x onerror=alert(1)> is\u202e gone.\nmore' });
    await watch(notebook);
    expect(notebook.banner()).toContain('This kernel can not start: <img src=x onerror=alert(1)> is\ufffd gone.');
    expect(notebook.banner()).not.toContain('more');
    expect(notebook.contentHeader.node.querySelector('img')).toBeNull();
    expect(notebook.contentHeader.node.querySelector('[role="status"]')?.textContent).toContain('can not start');
  });

  it('leads to its environment, and can be started again', async () => {
    const notebook = new Notebook(EXPLAINS);
    await watch(notebook);
    const opened = vi.fn();
    w.actions.pages = { open: opened, create: vi.fn() };
    const [show, restart] = notebook.contentHeader.node.querySelectorAll('button');
    expect([show.textContent, restart.textContent]).toEqual(['Show environment', 'Restart kernel']);
    show.click();
    expect(opened).toHaveBeenCalledWith({ environment: environment().id });
    restart.click();
    expect(notebook.restart).toHaveBeenCalledTimes(1);
  });

  it('is forgotten when a restart gives another kernel, and comes back when it does', async () => {
    const notebook = new Notebook(EXPLAINS);
    await watch(notebook);
    await notebook.restarted(WORKS);
    expect(notebook.banner()).toBe('');
    await notebook.restarted({ ...EXPLAINS, banner: 'Its Python is gone.' });
    expect(notebook.banner()).toContain('Its Python is gone.');
    expect(notebook.asked).toBe(2);
  });

  it('is found after a restart that ends in silence', async () => {
    const notebook = new Notebook(WORKS);
    await watch(notebook);
    notebook.next = EXPLAINS;
    notebook.statusChanged.emit('restarting');
    notebook.connectionStatusChanged.emit('connecting');
    expect(notebook.asked).toBe(0);
    notebook.connectionStatusChanged.emit('connected');
    await settle();
    expect(notebook.banner()).toContain('The environment “climate” is not there.');
    notebook.statusChanged.emit('idle');
    await settle();
    expect(error).toHaveBeenCalledTimes(1);
  });

  it('gives one notification for each start, however many notebooks share it', async () => {
    const [one, two] = [new Notebook(EXPLAINS), new Notebook(EXPLAINS)];
    await watch(one, two);
    current.emit({});
    await settle();
    expect(error).toHaveBeenCalledTimes(1);
    expect(error.mock.calls[0][0]).toBe('A kernel can not start: The environment “climate” is not there.');
    await one.restarted(EXPLAINS);
    expect(error).toHaveBeenCalledTimes(2);
  });

  it('is found in a notebook that is opened later', async () => {
    await watch();
    const notebook = new Notebook(EXPLAINS);
    open = [notebook];
    current.emit({});
    await settle();
    expect(notebook.banner()).toContain('This kernel can not start');
  });
});

describe('everything else', () => {
  it('has no banner: a kernel that works, a page without kernel', async () => {
    const [works, page] = [new Notebook(WORKS), new MainAreaWidget({ content: new Widget() })];
    await watch(works, page, new Widget());
    expect(works.banner()).toBe('');
    expect(page.contentHeader.node.textContent).toBe('');
    expect(hasKernel(page)).toBe(false);
    expect(error).not.toHaveBeenCalled();
  });

  it('is asked nothing while it works', async () => {
    const notebook = new Notebook(WORKS);
    await watch(notebook);
    notebook.statusChanged.emit('busy');
    notebook.statusChanged.emit('idle');
    await settle();
    expect(notebook.asked).toBe(0);
  });
});
