import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vitest/config';

const source = new URL('src/', import.meta.url);

/** Names what is built from, so that a file loaded later is not taken for one that fits. */
function build(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' }).sort()) if (/\.tsx?$/.test(name)) hash.update(readFileSync(new URL(name, source)));
  return hash.digest('hex').slice(0, 12);
}

/** Styles come in one file with the page: there is nothing to load before a chunk. */
const plain: Plugin = {
  name: 'plain-imports',
  enforce: 'pre',
  load: (id) => (id === '\0vite/preload-helper.js' ? 'export const __vitePreload = (load) => load();' : undefined),
};

// Four files with fixed names: `src/api/page.rs` embeds them, and freshness comes from their ETag.
export default defineConfig({
  base: './',
  define: { BUILD: JSON.stringify(build()) },
  plugins: [plain],
  // Preact's own function for elements: its calls are shorter than those that `react-jsx` writes.
  oxc: { jsx: { runtime: 'classic', pragma: 'jsx', pragmaFrag: 'jsxFragment' }, jsxInject: "import { h as jsx, Fragment as jsxFragment } from 'preact';" },
  build: {
    outDir: 'dist',
    target: ['chrome105', 'firefox128', 'safari17.2'],
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    sourcemap: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'app.js',
        // The one chunk that is loaded on demand: what the first screen does not need.
        chunkFileNames: 'later.js',
        assetFileNames: 'app[extname]',
      },
    },
  },
  test: {
    include: ['tests/unit/**/*.test.ts'],
    environment: 'node',
    // Patience for busy machines: a test that waits in vain says so by itself.
    testTimeout: 60_000,
  },
});
