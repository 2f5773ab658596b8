import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Those need Chromium: vitest.browser.config.ts.
    exclude: ['test/browser/**'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // To load what nearly every file needs takes longer than most files: each worker does it once.
    isolate: false,
    restoreMocks: true,
    // Two cores are the smallest machine these run on; more workers than that only makes deadlines lie.
    maxWorkers: 2,
    sequence: { shuffle: true },
    reporters: ['default'],
  },
})
