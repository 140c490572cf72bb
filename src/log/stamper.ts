import { stampedBytes, stampLines } from './lines.ts'
import { STAMP_BYTES } from './stamp.ts'
import { type StampFunction, stampModule } from './stamp-code.ts'

/** The part of it that is used here: the types of Node know only types of it, those of browsers not this program. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly stamp: StampFunction } }
}

/** A chunk this long comes from a slot that is loud; before that the module would cost more than it saves. */
const LOUD_BYTES = 16_384
const PAGE_BYTES = 65_536
/** The module reads and writes so far beyond the ends of its bytes. */
const SLACK_BYTES = 16
const CHUNK_AT = 64

interface Module {
  readonly memory: Buffer
  readonly stamp: StampFunction
}

/** Puts stamps before lines, chunk by chunk, in memory that is used again for each. */
export class Stamper {
  readonly #chunkBytes: number
  readonly #outAt: number
  /** Big for the worst case; the kernel gives pages only to what is used. */
  readonly #out: Buffer
  /** Made for the first long chunk; null: this machine does not give it the memory. */
  #module: Module | null | undefined

  /** @param chunkBytes longest chunk */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes
    this.#outAt = CHUNK_AT + chunkBytes + SLACK_BYTES
    this.#out = Buffer.allocUnsafeSlow(stampedBytes(chunkBytes))
  }

  /**
   * @param stamp its {@link STAMP_BYTES} bytes
   * @param midLine the chunk goes on with a line that has its stamp already
   * @returns the chunk with a stamp before every line that begins in it; valid until the next call
   */
  stamp(chunk: Uint8Array, stamp: Uint8Array, midLine: boolean): Buffer {
    if (this.#module === undefined && chunk.length >= LOUD_BYTES) this.#module = this.#load()
    if (!this.#module) return this.#out.subarray(0, stampLines(this.#out, chunk, stamp, midLine))
    const { memory } = this.#module
    memory.set(stamp, 0)
    memory.set(chunk, CHUNK_AT)
    const end = this.#module.stamp(CHUNK_AT, CHUNK_AT + chunk.length, this.#outAt, 0, midLine ? 0 : 1)
    return memory.subarray(this.#outAt, end)
  }

  #load(): Module | null {
    const bytes = this.#outAt + stampedBytes(this.#chunkBytes) + SLACK_BYTES
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) })
      const module = new WebAssembly.Module(stampModule())
      const { stamp } = new WebAssembly.Instance(module, { from: { memory } }).exports
      return { memory: Buffer.from(memory.buffer), stamp }
    } catch {
      return null // V8 reserves 10 GB of addresses for it, which `ulimit -v` may refuse. Lines are stamped as before.
    }
  }
}
