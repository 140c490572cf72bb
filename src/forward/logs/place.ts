/** Where in a log the next line stands, also after the file has got another name. Pure. */

/** Kept on the disk, so that nothing is lost or sent twice because the forwarder starts again. */
export interface Position {
  /** When the newest archive that is older than the file was rotated, Unix ms; -1: there was none. */
  readonly afterMs: number
  /** Inode of the file; 0: it has not been seen yet. */
  readonly inode: number
  /** Hash of its first bytes, as many as {@link headBytes} says: a removed file's inode is used again soon. */
  readonly head: string
  /** End of the last line that was taken. */
  readonly offset: number
  /** Instant of that line; 0: there was none. */
  readonly ns: bigint
}

/** Of a log that is sent from its oldest line on. */
export const FIRST: Position = { afterMs: -1, inode: 0, head: '', offset: 0, ns: 0n }

/** So many bytes at the beginning of a file, which its position is behind, tell it from others. */
export const headBytes = (offset: number): number => Math.min(offset, 256)

/** A file as it is found where the one of a position should be. */
export interface Found {
  readonly inode: number
  readonly size: number
  /** Of as many bytes as the position has. */
  readonly head: string
}

/** Tells whether it is the file of the position, and still has what was taken from it. */
export function isFileOf({ inode, head, offset }: Position, found: Found): boolean {
  if (offset === 0) return inode === 0 || inode === found.inode
  return found.size >= offset && head === found.head
}
