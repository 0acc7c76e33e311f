/** One place for ears: what begins and ends is said politely, what fails at once. */
import { IDisposable } from '@lumino/disposable';

export class Announcer implements IDisposable {
  constructor() {
    this._node.className = 'jp-HpcEnv jp-HpcEnv-hidden';
    this._polite = this.region('status', 'polite');
    this._urgent = this.region('alert', 'assertive');
    document.body.appendChild(this._node);
  }

  get isDisposed(): boolean {
    return !this._node.isConnected;
  }

  dispose(): void {
    this._node.remove();
  }

  say(text: string): void {
    this._polite.textContent = text;
  }

  alert(text: string): void {
    this._urgent.textContent = text;
  }

  private region(role: string, live: string): HTMLElement {
    const node = document.createElement('div');
    node.setAttribute('role', role);
    node.setAttribute('aria-live', live);
    this._node.appendChild(node);
    return node;
  }

  private _node = document.createElement('div');
  private _polite: HTMLElement;
  private _urgent: HTMLElement;
}
