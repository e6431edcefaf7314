import { defineConfig } from 'vitest/config';

// Four files with fixed names: `src/api/page.rs` embeds them, and freshness comes from their ETag.
export default defineConfig({
  base: './',
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
        // The one chunk that is loaded on demand: what draws metric queries.
        chunkFileNames: 'chart.js',
        assetFileNames: 'app[extname]',
      },
    },
  },
  test: {
    include: ['tests/unit/**/*.test.ts'],
    environment: 'node',
  },
});
