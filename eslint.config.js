import js from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['node_modules/**', '*.cjs'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // `as` is allowed as `as const` only: what comes from outside is parsed with zod.
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'only core/ and the entry files touch the process' },
      ],
    },
  },
  {
    // Entry points and the launcher's own folder talk to the process.
    files: [
      'core/config.ts',
      'core/client-settings.ts',
      'core/failpoints.ts',
      '**/main.ts',
      'machine/**',
      'cli/**',
      'bench/**',
      'test/**',
      'netns/namespace.ts',
    ],
    rules: { 'no-restricted-globals': 'off' },
  },
)
