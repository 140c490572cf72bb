import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Scope } from '../../access/scope.ts'
import { hasCode } from '../../system/error-code.ts'
import type { HistoryOfProfile } from '../contract/history.ts'
import { notFound, unavailable } from '../gate/refusals.ts'

/** Facts that the page learns from its own text, before its first request. */
export interface PageFacts {
  /** For `X-Hermes-Token`; undefined before the log-in. */
  readonly token: string | undefined
  /** How much the user may do; undefined before the log-in. */
  readonly scope: Scope | undefined
  readonly insecure: boolean
  readonly terminal: boolean
  /** The board is in a database, which other nodes may share. */
  readonly nodes: boolean
  /** The build's version; undefined before the log-in. */
  readonly build: string | undefined
  /** Name of the container or the node; undefined before the log-in. */
  readonly host: string | undefined
  /** Of the profile that the page shows, so that its plots are there at the first paint. */
  readonly history: HistoryOfProfile | undefined
  /** Prefix of our paths in the browser. */
  readonly prefix: string
}

export interface StaticFile {
  readonly bytes: Buffer
  readonly type: string
  /** The file is stored gzipped, and goes out so. */
  readonly gzipped: boolean
}

const PAGE_ROUTES = ['/', '/login', '/kanban', '/boots', '/audit', '/usage', '/nodes', '/terminal']

/** The profile whose page it is. */
export const profileOfPage = (path: string): string | undefined => /^\/profiles\/([^/]+)$/.exec(path)?.[1]

/** One text for all of them: which one is shown, the page decides by its address. */
export const isPage = (path: string): boolean =>
  PAGE_ROUTES.includes(path) || /^\/(profiles|nodes\/[^/]+)\/[^/]+$/.test(path)

/** @throws Refused while no page has been built into this install */
export function pageText(dir: string, facts: PageFacts): string {
  let html: string
  try {
    html = readFileSync(join(dir, 'index.html'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw unavailable('no_page', 'this install has no page; the API works', 'build the page with npm run build')
  }
  const metas = [
    ...(facts.token === undefined ? [] : [meta('hermes-token', facts.token)]),
    ...(facts.scope === undefined ? [] : [meta('hermes-scope', facts.scope)]),
    ...(facts.insecure ? [meta('hermes-insecure', '1')] : []),
    ...(facts.build === undefined ? [] : [meta('hermes-build', facts.build)]),
    ...(facts.host === undefined ? [] : [meta('hermes-host', facts.host)]),
    ...licensesOf(dir).map((name) => meta('hermes-licenses', `assets/${name}`)),
    ...(facts.terminal ? [meta('hermes-tui', '1')] : []),
    ...(facts.nodes ? [meta('hermes-nodes', '1')] : []),
    ...(facts.history === undefined ? [] : [meta('hermes-history', JSON.stringify(facts.history))]),
    meta('hermes-base', facts.prefix),
  ].join('')
  // Addresses in the page are written from the root; behind a prefix they are not there.
  return html
    .replaceAll(/((?:src|href)=")\/(?!\/)/g, `$1${facts.prefix}/`)
    .replace(/<head[^>]*>/i, (head) => `${head}${metas}`)
}

/** The build names it by what is in it. */
const licensesOf = (dir: string): readonly string[] =>
  readdirSync(join(dir, 'assets')).filter((name) => /^licenses-\w+\.txt$/.test(name))

const meta = (name: string, content: string): string => `<meta name="${name}" content="${escaped(content)}">`

/** As text or attribute of HTML. */
export const escaped = (value: string): string => value.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`)

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}
/** Names of files as the build gives them: one segment, nothing that could lead out of the directory. */
const ASSET = /^\/(?:assets\/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/**
 * A file of the page.
 * @param gzip the client takes gzip
 * @throws Refused 404
 */
export function staticFile(dir: string, path: string, gzip: boolean): StaticFile {
  const type = TYPES[extname(path)]
  if (!ASSET.test(path) || type === undefined) throw notFound('no such file')
  const file = join(dir, path)
  const zipped = gzip && statSync(`${file}.gz`, { throwIfNoEntry: false })?.isFile() === true
  try {
    return { bytes: readFileSync(zipped ? `${file}.gz` : file), type, gzipped: zipped }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EISDIR')) throw notFound('no such file')
    throw error
  }
}
