/** Draw a component of ours into the document, as a widget would. */
import React, { act } from 'react';
import { createRoot } from 'react-dom/client';
import { Context, IContext } from '../src/ui/context';

export interface IDrawn {
  host: HTMLElement;
  /** The first element of the selector; throws when there is none. */
  get: <E extends HTMLElement = HTMLElement>(selector: string) => E;
  all: (selector: string) => HTMLElement[];
  button: (name: string) => HTMLElement;
  text: () => string;
  press: (target: HTMLElement, key: string, init?: KeyboardEventInit) => Promise<void>;
  click: (target: HTMLElement, init?: MouseEventInit) => Promise<void>;
  type: (target: HTMLElement, value: string) => Promise<void>;
  settle: () => Promise<void>;
  clear: () => void;
}

/** The real clock, also where a test has put another one in its place. */
const later = setTimeout;

export async function settle(): Promise<void> {
  await act(async () => {
    for (let turn = 0; turn < 12; turn++) {
      await new Promise(resolve => later(resolve, 0));
    }
  });
}

export async function draw(context: IContext, element: JSX.Element): Promise<IDrawn> {
  const host = document.createElement('div');
  document.body.append(host);
  const root = createRoot(host);
  await act(async () => root.render(<Context.Provider value={context}>{element}</Context.Provider>));
  await settle();
  const all = (selector: string): HTMLElement[] => [...host.querySelectorAll<HTMLElement>(selector)];
  return {
    host,
    all,
    settle,
    get: <E extends HTMLElement>(selector: string): E => {
      const found = host.querySelector<E>(selector);
      if (!found) {
        throw new Error(`Nothing is drawn for ${selector} in ${host.textContent ?? ''}`);
      }
      return found;
    },
    button: name => {
      const found = all('button').find(node => (node.getAttribute('aria-label') ?? node.textContent) === name);
      if (!found) {
        throw new Error(`No button “${name}” in ${host.textContent ?? ''}`);
      }
      return found;
    },
    text: () => host.textContent ?? '',
    press: async (target, key, init) => {
      await act(async () => {
        target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }));
      });
      await settle();
    },
    click: async (target, init) => {
      await act(async () => {
        target.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ...init }));
      });
      await settle();
    },
    type: async (target, value) => {
      await act(async () => {
        const kind = target instanceof HTMLTextAreaElement ? HTMLTextAreaElement : target instanceof HTMLSelectElement ? HTMLSelectElement : HTMLInputElement;
        Object.getOwnPropertyDescriptor(kind.prototype, 'value')?.set?.call(target, value);
        target.dispatchEvent(new Event(target instanceof HTMLSelectElement ? 'change' : 'input', { bubbles: true }));
      });
      await settle();
    },
    clear: () => {
      act(() => root.unmount());
      host.remove();
    }
  };
}
