/** One line above the cells: that the kernel can not start, why, and what can be done. */
import { Message, MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React from 'react';
import { warnIcon } from '../icons';
import { IContext, useHpcEnv, useModel } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { HpcEnvWidget } from '../ui/widget';

export class Banner extends HpcEnvWidget {
  constructor(context: IContext, why: string, kernel: string, restart: () => void) {
    super(context, () => <Line why={why} kernel={kernel} onRestart={restart} onDrawn={() => this.measure()} />);
    this.addClass('jp-HpcEnv-bannerHost');
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    this.measure();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.measure();
  }

  /** Lumino places by least heights: say how high the text is at this width. */
  private measure(): void {
    const height = (this.node.firstElementChild as HTMLElement | null)?.offsetHeight ?? 0;
    if (height > 0 && height !== this._height) {
      this._height = height;
      this.node.style.minHeight = `${height}px`;
      if (this.parent) {
        MessageLoop.postMessage(this.parent, Widget.Msg.FitRequest);
      }
    }
  }

  private _height = 0;
}

function Line(props: { why: string; kernel: string; onRestart: () => void; onDrawn: () => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const environment = useModel().withKernel(props.kernel);
  const { onDrawn } = props;
  React.useLayoutEffect(() => onDrawn());
  return (
    <div className="jp-HpcEnv jp-HpcEnv-banner">
      <Icon icon={warnIcon} kind="warn" />
      <span role="status">{trans.__('This kernel can not start: %1', props.why)}</span>
      {environment && (
        <Button size="small" onClick={() => actions.pages?.open({ environment: environment.id })}>
          {trans.__('Show environment')}
        </Button>
      )}
      <Button size="small" onClick={props.onRestart}>
        {trans.__('Restart kernel')}
      </Button>
    </div>
  );
}
