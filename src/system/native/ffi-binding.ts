import type { LibcBinding, LibcFunction } from './libc-binding.ts'

/** The part of node:ffi that this module uses. The lowest Node we run on, and its types, do not have it. */
interface NodeFfi {
  readonly DynamicLibrary: new (path: null) => Library
  toArrayBuffer(pointer: bigint, bytes: number, copy: boolean): ArrayBuffer
}
interface Library {
  getFunction(name: string, signature: Signature): (...args: unknown[]) => unknown
}
interface Signature {
  readonly return: string
  readonly arguments: readonly string[]
}

/** Without this option node:ffi prints a warning, because it is experimental. All our programs have it (`ownNode`). */
export const WITHOUT_WARNING = '--disable-warning=ExperimentalWarning'

/** C types by the names that node:ffi has for them, on 64-bit Linux. */
const TYPES: Readonly<Record<string, string>> = {
  void: 'void',
  int: 'int32',
  int16: 'int16',
  uint32: 'uint32',
  uint64: 'uint64',
  long: 'int64',
  'unsigned long': 'uint64',
  size_t: 'uint64',
  str: 'string',
  'void *': 'pointer',
}

/**
 * libc through Node's own node:ffi: it loads faster than koffi, and takes less memory.
 * @param options of this process
 * @returns undefined where this Node has none that works as this module expects: the API is experimental, and was
 * another one in Node 26.1
 */
export function nodeFfi(options: readonly string[]): LibcBinding | undefined {
  if (!options.includes(WITHOUT_WARNING)) return undefined
  try {
    const ffi = process.getBuiltinModule('node:ffi') as NodeFfi | undefined
    if (ffi === undefined) return undefined
    const binding = bindingOf(ffi)
    return works(binding) ? binding : undefined
  } catch {
    // Another API, or none in this build of Node: koffi does the same.
    return undefined
  }
}

function bindingOf(ffi: NodeFfi): LibcBinding {
  const libraries: { readonly library: Library; readonly names: Set<string> }[] = []
  const func = (name: string, result: string, args: readonly string[]): LibcFunction => {
    // A library gives a function in one signature only; fcntl and ioctl have two.
    let place = libraries.find(({ names }) => !names.has(name))
    if (place === undefined) {
      place = { library: new ffi.DynamicLibrary(null), names: new Set() }
      libraries.push(place)
    }
    place.names.add(name)
    const signature = { return: typeOf(result), arguments: args.map(typeOf) }
    return withNumbers(place.library.getFunction(name, signature), signature)
  }
  const library = new ffi.DynamicLibrary(null)
  const address = library.getFunction('__errno_location', { return: 'pointer', arguments: [] })() as bigint
  // The variable itself, so that nothing is called between a function's end and this look at its error.
  const errno = new Int32Array(ffi.toArrayBuffer(address, Int32Array.BYTES_PER_ELEMENT, false))
  return { func, errno: () => errno[0] as number }
}

const isWide = (type: string): boolean => type.endsWith('64')

/** node:ffi has bigints for 64 bits; ours are addresses and small numbers, which a number holds. */
function withNumbers(bound: LibcFunction, { return: result, arguments: types }: Signature): LibcFunction {
  if (![result, ...types].some(isWide)) return bound
  const wide = types.map(isWide)
  return (...given) => {
    const value = bound(...given.map((one, at) => (wide[at] && typeof one === 'number' ? BigInt(one) : one)))
    return typeof value === 'bigint' ? Number(value) : value
  }
}

function typeOf(name: string): string {
  const type = TYPES[name]
  if (type === undefined) throw new Error(`no type of node:ffi for ${name}`)
  return type
}

/** Calls that change nothing: a result, an error number, a word and a pointer have to arrive. */
function works({ func, errno }: LibcBinding): boolean {
  const EBADF = 9
  const bytes = Buffer.from('a')
  return (
    func('getpid', 'int', [])() === process.pid &&
    func('close', 'int', ['int'])(-1) === -1 &&
    errno() === EBADF &&
    func('memcmp', 'int', ['str', 'void *', 'size_t'])('a', bytes, 1) === 0
  )
}
