/** What the job has to tell in which a kernel runs: that it waits, that its time is nearly up, that it has ended. */
import { Notification } from '@jupyterlab/apputils';
import type { Event } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { plain } from './format';
import type { EnvironmentsModel } from './model';
import type { Announcer } from './ui/announcer';

export const KERNEL_EVENT = 'https://events.jupyter-hpcenv.org/kernel/v1';

/** Resources for kernels that the site offers under a name. */
export interface IProfile {
  name: string;
  display_name: string;
  description: string;
}

/** Show each such event of the server to whoever is in front of it; one notification a kernel tells of its waiting. */
export function connectJobs(model: EnvironmentsModel, announcer: Announcer, trans: TranslationBundle): void {
  const waiting = new Map<string, string>();
  model.services.events.stream.connect((_: unknown, event: Event.Emission) => {
    if (event.schema_id !== KERNEL_EVENT) {
      return;
    }
    const { kernel_id, kernel_name, state, message } = event as unknown as Record<string, unknown>;
    const name = model.services.kernelspecs.specs?.kernelspecs[String(kernel_name)]?.display_name ?? String(kernel_name);
    const text = trans.__('%1: %2', plain(name), plain(String(message)));
    const id = waiting.get(String(kernel_id));
    if (state === 'waiting') {
      if (!id || !Notification.update({ id, message: text })) {
        waiting.set(String(kernel_id), Notification.info(text, { autoClose: 20_000 }));
      }
      announcer.say(text);
    } else {
      Notification.warning(text, { autoClose: false });
      announcer.alert(text);
    }
  });
}
