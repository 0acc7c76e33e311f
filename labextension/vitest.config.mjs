import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    setupFiles: ['test/setup.ts'],
    include: ['test/**/*.test.ts?(x)'],
    css: false,
    // one set of modules for all files: to import JupyterLab for each of them takes longer than their tests
    isolate: false,
    // JupyterLab's packages import CSS and JSON, which only the bundler understands
    server: { deps: { inline: [/@jupyterlab\//, /@jupyter\//, /@lumino\//] } }
  }
});
