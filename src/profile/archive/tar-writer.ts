/** Writes entries of a tar archive one after the other, as fast as its reader reads. */
import { type Pack, pack, type Header as WholeHeader } from 'tar-stream'
import { HermesError } from '../../system/errors.ts'

export type TarHeader = Pick<WholeHeader, 'name'> & Partial<WholeHeader>

export class TarWriter {
  /** The archive. */
  readonly tar: Pack = pack()

  /**
   * Waits for the reader of the archive.
   * @param content as many bytes as `header.size` says
   * @throws HermesError FAILED: the archive is no longer read; the error of `content`
   */
  async add(header: TarHeader, content: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
    const done = Promise.withResolvers<void>()
    const entry = this.tar.entry(header, (error) => (error ? done.reject(error) : done.resolve()))
    done.promise.catch(() => undefined) // it is awaited below, unless the content fails first
    if (header.type === 'symlink' || header.type === 'directory') return done.promise
    entry.on('error', () => undefined) // the archive itself has it, too
    let free = Promise.withResolvers<void>()
    for (const event of ['drain', 'close']) entry.on(event, () => free.resolve())
    for await (const chunk of content) {
      if (this.tar.destroyed) throw new HermesError('FAILED', 'the archive was no longer read')
      free = Promise.withResolvers()
      if (!entry.write(chunk)) await free.promise
    }
    entry.end(undefined)
    await done.promise
  }
}
