import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  // Shared with the contract: one canonical JSON for what is signed and what is judged.
  resolve: { alias: { '@bridge/shared': path('../shared/src'), '@bridge/rules': path('../../../chaincode/summaries/src/rules') } },
  build: {
    outDir: 'dist',
    target: 'es2022',
    // Nothing inline: the content policy would refuse it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
