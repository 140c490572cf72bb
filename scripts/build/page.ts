// The dashboard's page as static files: index.html, and assets with a hash of their content in the name, gzipped
// beforehand too.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { build, type Plugin } from 'vite'

/** Files worth compressing; fonts are compressed already. */
const COMPRESSIBLE = /\.(?:js|css|svg)$/

/**
 * The font of every view is asked for with the script, not when the first text needs it: text that is drawn twice
 * jumps.
 */
const fontFirst: Plugin = {
  name: 'font-first',
  transformIndexHtml: {
    order: 'post',
    handler: (_html, { bundle = {} }) =>
      Object.keys(bundle)
        .filter((file) => file.endsWith('.woff2') && !file.includes('mono'))
        .map((file) => ({
          tag: 'link',
          attrs: { rel: 'preload', as: 'font', type: 'font/woff2', href: `./${file}`, crossorigin: true },
          injectTo: 'head' as const,
        })),
  },
}

/** The files that a bundle was made of: scripts, style sheets, fonts. */
const filesOf = (files: Set<string>): Plugin => ({
  name: 'files-of-the-bundle',
  generateBundle(_options, bundle) {
    for (const part of Object.values(bundle))
      for (const file of part.type === 'chunk' ? Object.keys(part.modules) : part.originalFileNames) files.add(file)
    for (const id of this.getModuleIds()) if (id.endsWith('.css')) files.add(id)
  },
})

/**
 * @param source directory of index.html
 * @param out emptied first
 * @returns the files that something was taken from
 */
export async function buildPage(source: string, out: string): Promise<readonly string[]> {
  const files = new Set<string>()
  await build({
    configFile: false,
    root: source,
    // Addresses that do not know the prefix the dashboard is served under: <base> in index.html has it.
    base: './',
    logLevel: 'warn',
    publicDir: false,
    // Preact's own transform would bring a development server's needs with it; the compiler knows JSX.
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    plugins: [fontFirst, filesOf(files)],
    build: {
      outDir: out,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      // No polyfill: what reads light-dark() in style sheets has modulepreload.
      modulePreload: { polyfill: false },
      target: ['chrome123', 'firefox125', 'safari17.5'],
      reportCompressedSize: false,
      // It warns on a busy machine about time that nothing here could save.
      rolldownOptions: { checks: { pluginTimings: false } },
    },
  })
  const assets = join(out, 'assets')
  for (const name of await readdir(assets)) {
    if (!COMPRESSIBLE.test(name)) continue
    const content = await readFile(join(assets, name))
    await writeFile(join(assets, `${name}.gz`), await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }))
  }
  return [...files]
}
