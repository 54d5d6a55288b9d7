import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: join(import.meta.dirname, 'web'),
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2023',
    // The policy of our pages allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      input: {
        app: join(import.meta.dirname, 'web/app.html'),
        docs: join(import.meta.dirname, 'web/docs.html'),
        index: join(import.meta.dirname, 'web/index.html'),
        reference: join(import.meta.dirname, 'web/reference/try/index.html'),
      },
    },
  },
});
