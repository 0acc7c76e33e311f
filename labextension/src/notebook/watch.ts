/**
 * Find notebooks and consoles whose kernel can not start, and say so above their cells.
 *
 * In place of such a kernel the launch script starts one that only explains; it is known by its
 * implementation. Notebooks and consoles are known by what they have, a `sessionContext`: their own
 * packages would weigh hundreds of megabytes while building, for two types.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext, MainAreaWidget, Notification } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import { plain } from '../format';
import type { IContext } from '../ui/context';
import { Banner } from './banner';

const EXPLAINS = 'jupyter_hpcenv-explanation';

/** A widget above whose content a banner can stand, and that has a kernel. */
export type IWithKernel = MainAreaWidget & { sessionContext: ISessionContext };

export function hasKernel(widget: Widget): widget is IWithKernel {
  const { sessionContext, contentHeader } = widget as unknown as Partial<IWithKernel>;
  return !!contentHeader && !!sessionContext && 'kernelChanged' in sessionContext && 'connectionStatusChanged' in sessionContext;
}

type App = Pick<JupyterFrontEnd, 'shell'> & { restored?: Promise<unknown> };

/** Watch every notebook and console, now and from now on. */
export function watchKernels(app: App, context: IContext): void {
  const watched = new WeakSet<Widget>();
  const told = new Set<string>();
  const look = (): void => {
    for (const widget of app.shell.widgets('main')) {
      if (!watched.has(widget) && hasKernel(widget)) {
        watched.add(widget);
        new KernelWatch(widget, context, told);
      }
    }
  };
  const shell: typeof app.shell & { layoutModified?: ISignal<unknown, unknown> } = app.shell;
  shell.currentChanged?.connect(look);
  // restored tabs come without ever being the current one; Notebook 7 has no such signal, and one tab
  shell.layoutModified?.connect(look);
  void app.restored?.then(look);
  look();
}

/** The banner of one notebook or console: there while its kernel only explains. */
export class KernelWatch {
  constructor(
    private widget: IWithKernel,
    private context: IContext,
    /** Kernels that were spoken of since they started last: two notebooks on one kernel give one notification. */
    private told: Set<string>
  ) {
    const { sessionContext } = widget;
    sessionContext.kernelChanged.connect(this.onKernel, this);
    sessionContext.statusChanged.connect(this.onStatus, this);
    sessionContext.connectionStatusChanged.connect(this.onConnection, this);
    widget.disposed.connect(this.onDisposed, this);
    this.onKernel();
  }

  private get kernel(): Kernel.IKernelConnection | null {
    return this.widget.sessionContext.session?.kernel ?? null;
  }

  private onKernel(): void {
    const { kernel } = this;
    this.show('');
    if (kernel) {
      void this.ask(kernel, () => kernel.info);
    }
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    const { kernel } = this;
    if (status === 'restarting' || status === 'autorestarting') {
      this._restarted = true;
      if (kernel) {
        this.told.delete(kernel.id);
      }
    } else if (status === 'idle' && this._restarted && kernel) {
      this._restarted = false;
      this.askAgain(kernel);
    }
  }

  /** A kernel that has just started may be silent about being idle until it is spoken to. */
  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    const { kernel } = this;
    if (status === 'connected' && this._restarted && kernel) {
      this.askAgain(kernel);
    }
  }

  /** JupyterLab keeps what the first start answered; after another one it may be another kernel. */
  private askAgain(kernel: Kernel.IKernelConnection): void {
    void this.ask(kernel, async () => (await kernel.requestKernelInfo())?.content);
  }

  private async ask(kernel: Kernel.IKernelConnection, info: () => Promise<unknown>): Promise<void> {
    const turn = ++this._turn;
    try {
      const { implementation, banner } = ((await info()) ?? {}) as Partial<Record<string, unknown>>;
      if (turn === this._turn && !this.widget.isDisposed) {
        const why = implementation === EXPLAINS ? plain(String(banner).split('\n')[0].trim()) || '–' : '';
        this.show(why);
        if (why && !this.told.has(kernel.id)) {
          this.told.add(kernel.id);
          this.notify(kernel.name, why);
        }
      }
    } catch {
      // a kernel that went away before it answered; the next one is asked again
    }
  }

  private show(why: string): void {
    if (why === this._why) {
      return;
    }
    this._why = why;
    this._banner?.dispose();
    this._banner = null;
    if (why) {
      const kernel = this.kernel;
      this._banner = new Banner(this.context, why, kernel?.name ?? '', () => void this.restart());
      this.widget.contentHeader.insertWidget(0, this._banner);
    }
  }

  private async restart(): Promise<void> {
    try {
      await this.kernel?.restart();
    } catch (error) {
      Notification.error(this.context.trans.__('The kernel could not be restarted. %1', plain(String(error))), { autoClose: false });
    }
  }

  private notify(kernel: string, why: string): void {
    const { actions, model, trans } = this.context;
    const environment = model.withKernel(kernel);
    const text = trans.__('A kernel can not start: %1', why);
    Notification.error(text, {
      autoClose: 10_000,
      actions: environment
        ? [{ label: trans.__('Show environment'), callback: () => actions.pages?.open({ environment: environment.id }) }]
        : []
    });
  }

  private onDisposed(): void {
    const { sessionContext } = this.widget;
    sessionContext.kernelChanged.disconnect(this.onKernel, this);
    sessionContext.statusChanged.disconnect(this.onStatus, this);
    sessionContext.connectionStatusChanged.disconnect(this.onConnection, this);
    this._banner = null;
  }

  private _banner: Banner | null = null;
  private _why = '';
  private _restarted = false;
  private _turn = 0;
}
