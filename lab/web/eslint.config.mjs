// What eslint looks for in the page's scripts, beside what tsc checks of them.

import js from '@eslint/js';
import jsdoc from 'eslint-plugin-jsdoc';
import globals from 'globals';

export default [
  js.configs.recommended,
  jsdoc.configs['flat/recommended-typescript-flavor-error'],
  {
    languageOptions: {globals: globals.browser},
    linterOptions: {reportUnusedDisableDirectives: 'error'},
    rules: {
      eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error', 'no-implied-eval': 'error', 'no-script-url': 'error', 'no-console': 'error',
      // A name and a type say enough, and tsc knows what a function returns.
      'jsdoc/require-param-description': 'off', 'jsdoc/require-property-description': 'off',
      'jsdoc/require-returns': 'off', 'jsdoc/require-returns-description': 'off',
      'jsdoc/tag-lines': 'off', // groups of types stand apart
    },
  },
];
