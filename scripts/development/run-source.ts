// How a source tree (source-tree.ts) runs a program: from bin/NAME.ts as it lies, by Node's own removal of types,
// without a build.
import { existsSync } from 'node:fs'
import { enableCompileCache, type LoadHookSync, type ResolveHookSync, registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import packageJson from '../../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '../..')
const BUNDLE = /^#bundle\/(.+)\.cjs$/
/** Names that a bundle has from its loader and a module does not have. */
const OF_A_BUNDLE = /\b(require|__dirname)\b/

/**
 * Loads `bin/NAME.ts` and what it imports.
 * @param lib directory of an install tree; what the program takes for its own place
 */
export async function runSource(name: string, lib: string): Promise<void> {
  Object.assign(globalThis, { HERMES_VERSION: packageJson.version })
  enableCompileCache(join(lib, 'compiled'))
  registerHooks({ resolve, load: loadOf(lib) })
  await import(pathToFileURL(sourceOf(name)).href)
}

/** The file in bin/ that a bundle is made of. */
function sourceOf(name: string): string {
  const places = ['.', 'bundles', 'bundles/helpers'].map((dir) => join(root, 'bin', dir, `${name}.ts`))
  return places.find((place) => existsSync(place)) ?? join(root, 'bin', 'bundles', `${name}.ts`)
}

/** `#bundle/X.cjs`, by which one bundle loads another, is the source of that bundle here. */
const resolve: ResolveHookSync = (specifier, context, next) => {
  const [, name] = BUNDLE.exec(specifier) ?? []
  if (name === undefined) return next(specifier, context)
  return { url: pathToFileURL(sourceOf(name)).href, format: 'module-typescript', shortCircuit: true }
}

/** Gives a module the names of a bundle, on its first line, so that errors name the right one. */
const loadOf =
  (lib: string): LoadHookSync =>
  (url, context, next) => {
    const loaded = next(url, context)
    if (!url.startsWith(pathToFileURL(root).href) || !url.endsWith('.ts')) return loaded
    const text = String(loaded.source)
    if (!OF_A_BUNDLE.test(text) || url.startsWith(pathToFileURL(join(root, 'scripts')).href)) return loaded
    // On one line, so that the lines of the source keep their numbers.
    const names = [
      "import { createRequire as requireOf } from 'node:module'",
      `const require = requireOf(import.meta.url), __dirname = ${JSON.stringify(lib)};`,
    ].join('; ')
    return { ...loaded, source: `${names}${text}` }
  }
