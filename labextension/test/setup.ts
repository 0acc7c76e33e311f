// what jsdom does not have and JupyterLab's widgets expect
const g = globalThis as unknown as Record<string, unknown>;
g.DragEvent ??= class DragEvent extends MouseEvent {};
g.ResizeObserver ??= class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
g.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {}, addListener() {}, removeListener() {} });
g.requestIdleCallback ??= (work: () => void) => setTimeout(work, 0);
g.IS_REACT_ACT_ENVIRONMENT = true;
(globalThis as unknown as { CSS?: { escape?: (text: string) => string } }).CSS ??= {};
const css = (globalThis as unknown as { CSS: { escape?: (text: string) => string } }).CSS;
css.escape ??= text => text.replace(/[^a-zA-Z0-9_-]/g, char => `\\${char}`);
document.execCommand ??= () => true;
