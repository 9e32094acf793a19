export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  setupFiles: ['<rootDir>/test/node-errors.ts'],
  reporters: ['default', '<rootDir>/test/world/clean-reporter.ts'],
  testSequencer: '<rootDir>/test/world/sequencer.ts',
  testTimeout: 60_000,
}
