// A socket for datagrams, as a service manager has one: Node has none for Unix sockets.
import { closeSync } from 'node:fs'
import koffi from 'koffi'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40
const MAX_BYTES = 4096

export interface Datagrams extends Disposable {
  /** All that have arrived so far, in their order. */
  received(): readonly string[]
}

/** @param name path of the socket; @ begins a name without a file */
export function listenForDatagrams(name: string): Datagrams {
  const libc = koffi.load(null as unknown as string)
  const socket = libc.func('socket', 'int', ['int', 'int', 'int'])
  const bind = libc.func('bind', 'int', ['int', 'void *', 'uint32'])
  const receive = libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int'])
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0)
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(name.replace(/^@/, '\0'))])
  if (bind(fd, address, address.length) !== 0) throw new Error(`no socket at ${name}`)
  const all: string[] = []
  return {
    received() {
      const bytes = Buffer.alloc(MAX_BYTES)
      for (let size = receive(fd, bytes, MAX_BYTES, MSG_DONTWAIT); size > 0; ) {
        all.push(bytes.toString('utf8', 0, Number(size)))
        size = receive(fd, bytes, MAX_BYTES, MSG_DONTWAIT)
      }
      return all
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}
