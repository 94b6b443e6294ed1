import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// In development the hub of `make run` answers what is asked of the API.
const hub = process.env.FARSHORE_HUB ?? 'https://127.0.0.1:9443';

const out = `${import.meta.dirname}/../dist`;

// removeOldBuild empties the output folder but for the files that git keeps there.
const removeOldBuild: Plugin = {
  name: 'remove-old-build',
  apply: 'build',
  configResolved({ root, build }) {
    const folder = resolve(root, build.outDir);
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      if (!name.startsWith('.')) rmSync(join(folder, name), { recursive: true });
    }
  },
};

// In development nobody rewrites the base for deep addresses, as the hub does.
const rootBase: Plugin = {
  name: 'root-base',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace('<base href="./" />', '<base href="/" />'),
};

export default defineConfig({
  // Relative, so that the console works below any path prefix.
  base: './',
  plugins: [react(), removeOldBuild, rootBase],
  build: {
    outDir: out,
    emptyOutDir: false,
    modulePreload: { polyfill: false }, // all browsers that run the rest have it
    cssCodeSplit: false, // a few kB more at first, and no page that waits for, or lacks, its own styles
    assetsInlineLimit: 0, // files of their own, which the policy allows without data: addresses
    reportCompressedSize: false,
    target: 'es2023',
  },
  server: { proxy: { '/api': { target: hub, secure: false, changeOrigin: true } } },
  // A page for each test costs more than most tests: only those that render something get one.
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'logic', environment: 'node', include: ['src/**/*.test.ts'], setupFiles: ['src/noPage.ts'] },
      },
      { extends: true, test: { name: 'pages', environment: 'jsdom', include: ['src/**/*.test.tsx'] } },
    ],
  },
});
