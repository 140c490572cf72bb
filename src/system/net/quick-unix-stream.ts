import { type ConnectUnix, connectByNet, type UnixStream } from './unix-stream.ts'

/**
 * Node's own handle of a Unix socket, below node:net (lib/net.js, src/pipe_wrap.cc). `onread` gets the bytes; how many
 * there are, and where, is in {@link StreamBinding.streamBaseState}.
 */
interface PipeHandle {
  onread: (buffer: ArrayBuffer | undefined) => void
  /** @returns nothing, 0, or a negative errno */
  connect(request: Request, path: string): number | undefined
  readStart(): number
  readStop(): number
  /** @returns 0 or a negative errno; what does not fit is written later */
  writeUtf8String(request: Request, text: string): number
  close(closed: () => void): void
}

interface Request {
  /** @param status 0 or a negative errno */
  oncomplete: (status: number) => void
}

interface PipeBinding {
  readonly Pipe: new (type: number) => PipeHandle
  readonly PipeConnectWrap: new () => Request
  readonly constants: { readonly SOCKET: number }
}

interface StreamBinding {
  readonly WriteWrap: new () => Request
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kArrayBufferOffset: number
}

/** Of libuv: the other end has closed. */
const UV_EOF = -4095

/**
 * Connects for a command that ends soon. Loading node:net and the streams below it takes as much CPU as all of the rest
 * that `hermes gateway status` does (docs/bench.md); the handle itself is there in every Node. `process.binding` is
 * deprecated in the documentation only (DEP0111). A Node without it, or with other handles, gets node:net.
 */
export const connectQuickly: ConnectUnix = (path) => {
  const bindings = findBindings()
  return bindings === undefined ? connectByNet(path) : connectBy(bindings, path)
}

interface Bindings {
  readonly pipe: PipeBinding
  readonly stream: StreamBinding
}

function findBindings(): Bindings | undefined {
  const { binding } = process as { readonly binding?: (name: string) => unknown }
  try {
    const pipe = binding?.('pipe_wrap') as Partial<PipeBinding> | undefined
    const stream = binding?.('stream_wrap') as Partial<StreamBinding> | undefined
    const isKnown =
      [pipe?.Pipe, pipe?.PipeConnectWrap, stream?.WriteWrap].every((one) => typeof one === 'function') &&
      [pipe?.constants?.SOCKET, stream?.kReadBytesOrError, stream?.kArrayBufferOffset].every(Number.isInteger) &&
      stream?.streamBaseState instanceof Int32Array
    return isKnown ? { pipe: pipe as PipeBinding, stream: stream as StreamBinding } : undefined
  } catch {
    return undefined // this Node has no such bindings, or its permission model refuses them
  }
}

async function connectBy({ pipe, stream }: Bindings, path: string): Promise<UnixStream> {
  const handle = new pipe.Pipe(pipe.constants.SOCKET)
  const request = new pipe.PipeConnectWrap()
  const status = await new Promise<number>((resolve) => {
    request.oncomplete = resolve
    const refused = handle.connect(request, path) ?? 0
    if (refused !== 0) resolve(refused)
  })
  if (status === 0) return new QuickStream(handle, stream)
  handle.close(() => undefined)
  throw systemError('connect', status, path)
}

class QuickStream implements UnixStream {
  /** undefined: destroyed. */
  #handle: PipeHandle | undefined
  readonly #binding: StreamBinding
  #closed: (cause: Error | undefined) => void = () => undefined

  constructor(handle: PipeHandle, binding: StreamBinding) {
    this.#handle = handle
    this.#binding = binding
  }

  read({ text, closed }: Parameters<UnixStream['read']>[0]): void {
    this.#closed = closed
    if (this.#handle === undefined) return
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = this.#binding
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    this.#handle.onread = (buffer) => {
      const count = streamBaseState[kReadBytesOrError] ?? UV_EOF
      if (count > 0 && buffer !== undefined)
        text(decoder.decode(new Uint8Array(buffer, streamBaseState[kArrayBufferOffset], count), { stream: true }))
      else if (count < 0) this.destroy(count === UV_EOF ? undefined : systemError('read', count))
    }
    this.#handle.readStart()
  }

  write(text: string): void {
    const request = new this.#binding.WriteWrap()
    const written = (status: number): void => {
      if (status !== 0) this.destroy(systemError('write', status))
    }
    request.oncomplete = written
    written(this.#handle?.writeUtf8String(request, text) ?? 0)
  }

  pause(): void {
    this.#handle?.readStop()
  }

  resume(): void {
    this.#handle?.readStart()
  }

  destroy(cause?: Error): void {
    const handle = this.#handle
    this.#handle = undefined
    handle?.close(() => this.#closed(cause))
  }
}

/** @param status a negative errno */
function systemError(syscall: string, status: number, path = ''): NodeJS.ErrnoException {
  const code = process.getBuiltinModule('node:util').getSystemErrorName(status)
  return Object.assign(new Error(`${syscall} ${code} ${path}`.trim()), { code, errno: status, syscall })
}
