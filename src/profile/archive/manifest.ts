/** The last entry of a profile's archive: everything that is in it, with checksums. */
import * as z from 'zod/mini'

export const MANIFEST = 'manifest.json'
/** Before the name of each file. */
export const FILES = 'profile/'
/** A list of a million files. */
export const MAX_MANIFEST_BYTES = 256 * 1024 * 1024

const Entry = z.discriminatedUnion('type', [
  z.object({ type: z.literal('file'), name: z.string(), size: z.number(), sha256: z.string() }),
  z.object({ type: z.literal('directory'), name: z.string() }),
  z.object({ type: z.literal('symlink'), name: z.string(), to: z.string() }),
])
export type ManifestEntry = z.infer<typeof Entry>

export const Manifest = z.object({
  format: z.literal(1),
  profile: z.string(),
  entries: z.array(Entry),
  /** Sockets, FIFOs and devices, which an archive does not keep. */
  skipped: z.array(z.string()),
})
export type Manifest = z.infer<typeof Manifest>
