// Modules of Node that a bundle needs only sometimes are loaded at their first use, not when the program starts.
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import type { Plugin } from 'esbuild'

/**
 * Modules of Node that take 0.5 to 2 ms each to load, and that our programs and the packages in them import for what
 * they rarely do.
 */
const BUILT_INS = [
  'assert',
  'child_process',
  'fs/promises',
  'module',
  'net',
  'readline',
  'tty',
  'worker_threads',
  'zlib',
]

/** Each of {@link BUILT_INS} is loaded at the first call of one of its functions, or when another export is read. */
export const lazyBuiltIns: Plugin = {
  name: 'lazy-built-ins',
  setup(build) {
    const filter = new RegExp(`^(node:)?(${BUILT_INS.join('|')})$`)
    build.onResolve({ filter, namespace: 'file' }, ({ path }) => ({
      path: path.replace('node:', ''),
      namespace: 'lazy-built-in',
    }))
    build.onLoad({ filter: /./, namespace: 'lazy-built-in' }, ({ path }) => ({ contents: lazily(path) }))
  },
}

/** A CommonJS module with the exports of Node's `name`. */
function lazily(name: string): string {
  const exported = createRequire(import.meta.url)(`node:${name}`) as Readonly<Record<string, unknown>>
  return [
    `const load = () => require('node:${name}')`,
    'module.exports = {',
    ...Object.entries(exported).map(([key, value]) =>
      isPlainFunction(key, value)
        ? `  ${key}(...given) { return load().${key}(...given) },`
        : `  get ${key}() { return load().${key} },`,
    ),
    '}',
    ...Object.entries(exported)
      .filter(([key, value]) => isPlainFunction(key, value) && promisify.custom in (value as object))
      .map(([key]) => {
        const symbol = "Symbol.for('nodejs.util.promisify.custom')"
        return `Object.defineProperty(module.exports.${key}, ${symbol}, { get: () => load().${key}[${symbol}] })`
      }),
    '',
  ].join('\n')
}

/** A class is called with `new` or extended, and a function with functions of its own is read: both need themselves. */
const isPlainFunction = (key: string, value: unknown): boolean =>
  typeof value === 'function' && /^[a-z]/.test(key) && Object.keys(value).length === 0
