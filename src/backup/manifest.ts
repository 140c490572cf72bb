/** The first entry of a backup: everything that is in it, with checksums. */
import * as z from 'zod/mini'

export const MANIFEST = 'manifest.json'
/** Before the path of each entry in the archive. */
export const HOME = 'home/'
/** A list of a million files. */
export const MAX_MANIFEST_BYTES = 256 * 1024 * 1024
/** Of a link; the kernel's limit (PATH_MAX). */
const MAX_TARGET = 4096
const MAX_MODE = 0o777

/** Zero to 2^53. */
const Size = z.int().check(z.minimum(0))
const Mode = z.int().check(z.minimum(0), z.maximum(MAX_MODE))

const File = z.object({
  type: z.literal('file'),
  /** Relative to the home. */
  path: z.string(),
  size: Size,
  mode: Mode,
  sha256: z.string(),
  /** When its content changed last, RFC 3339 UTC. */
  modified: z.string(),
  /** It changed while it was read, each of three times: it may be a mixture of two moments. */
  changed: z.optional(z.literal(true)),
  /** A copy that SQLite has made, so one moment of it. */
  database: z.optional(z.literal(true)),
})
export type FileEntry = z.infer<typeof File>

const Entry = z.discriminatedUnion('type', [
  File,
  z.object({ type: z.literal('directory'), path: z.string(), mode: Mode }),
  // Only in the manifest: an archive with an entry that is a link is refused.
  z.object({ type: z.literal('link'), path: z.string(), to: z.string().check(z.maxLength(MAX_TARGET)) }),
])
export type Entry = z.infer<typeof Entry>

const LeftOut = z.object({ path: z.string(), why: z.string() })
export type LeftOut = z.infer<typeof LeftOut>

export const Manifest = z.object({
  format: z.literal(1),
  /** RFC 3339 UTC. */
  made: z.string(),
  versions: z.object({ hermes: z.string(), node: z.string() }),
  /** Path of the home when the backup was made. */
  home: z.string(),
  homeMode: Mode,
  /** It is only this profile, whose directory stands for the home. */
  profile: z.optional(z.string()),
  /** false: made with --without-secrets. */
  secrets: z.boolean(),
  logs: z.boolean(),
  /** The desired state of each profile. */
  desired: z.record(z.string(), z.enum(['running', 'stopped'])),
  entries: z.array(Entry),
  /** The first thousand. */
  leftOut: z.array(LeftOut),
})
export type Manifest = z.infer<typeof Manifest>

/** Why a path must not be written to; undefined: it stays in the directory that it is relative to. */
export function pathProblem(path: string): string | undefined {
  if (path.startsWith('/')) return 'is absolute'
  if (path.includes('\0')) return 'contains a NUL'
  if (path.split('/').some((part) => part === '..')) return 'leads out of the home'
  return path.split('/').some((part) => part === '' || part === '.') ? 'is not a plain path' : undefined
}

/**
 * Why the entries of a manifest cannot be those of a backup: each path once, below a directory that stands before it.
 * @returns the first such path, and what is wrong with it
 */
export function entriesProblem(entries: readonly Entry[]): { readonly path: string; readonly why: string } | undefined {
  const directories = new Set([''])
  const seen = new Set<string>()
  for (const { type, path } of entries) {
    const why = pathProblem(path)
    if (why !== undefined) return { path, why }
    if (seen.has(path)) return { path, why: 'is there twice' }
    if (!directories.has(path.slice(0, Math.max(0, path.lastIndexOf('/')))))
      return { path, why: 'is not below a directory of the backup' }
    seen.add(path)
    if (type === 'directory') directories.add(path)
  }
  return undefined
}
