/** The icons that JupyterLab does not have. They take the colour of the text around them. */
import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, ...paths: string[]): LabIcon {
  const drawn = paths.map(d => `<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="${d}"/>`).join('');
  return new LabIcon({
    name: `jupyter-hpcenv:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">${drawn}</svg>`
  });
}

/** An environment: packages on top of each other. */
export const layersIcon = icon(
  'layers',
  'm12 3 9.5 5L12 13 2.5 8zm0 2.26L6.8 8l5.2 2.74L17.2 8z',
  'M4.7 11.1 2.5 12.3l9.5 5 9.5-5-2.2-1.2L12 15z',
  'm4.7 15.4-2.2 1.2 9.5 5 9.5-5-2.2-1.2-7.3 3.9z'
);
export const failIcon = icon(
  'fail',
  'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm4.2 12.8-1.4 1.4-2.8-2.8-2.8 2.8-1.4-1.4 2.8-2.8-2.8-2.8 1.4-1.4 2.8 2.8 2.8-2.8 1.4 1.4-2.8 2.8z'
);
export const warnIcon = icon(
  'warn',
  'M12 2.6 23 21.4H1zm-1.2 7.2.3 5.4h1.8l.3-5.4zM12 16.4a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z'
);
/** An environment module: a box. */
export const moduleIcon = icon(
  'module',
  'm12 2 9 5v10l-9 5-9-5V7zm0 2.3L6.9 7.1 12 10l5.1-2.9zM5 8.8v7l6 3.4v-7zm14 0-6 3.4v7l6-3.4z'
);
export const noteIcon = icon('note', 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1 5h2v2.2h-2zm0 4h2v6h-2z');
/** A newer version: an arrow upwards. */
export const newerIcon = icon('newer', 'm12 3 7.500 7.500-1.420 1.420L13 6.830V21h-2V6.830l-5.080 5.090L4.500 10.500z');
export const wrapIcon = icon(
  'wrap',
  'M3 5h18v2H3zm0 12h6v2H3zm13.5-6H3v2h13.5a1.5 1.5 0 0 1 0 3H15v-2l-3.5 3 3.5 3v-2h1.5a3.500 3.500 0 0 0 0-7z'
);
