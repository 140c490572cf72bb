// The head of an ELF file: for which machine it is, and which libraries it wants (elf(5)).

export interface ElfFacts {
  /** By Node's names; another machine is its number. */
  readonly arch: string
  /** Names of DT_NEEDED. */
  readonly needed: readonly string[]
}

const ARCHES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' }
const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NEEDED = 1
const DT_STRTAB = 5
const PROGRAM_HEADER_BYTES = 56
const DYNAMIC_ENTRY_BYTES = 16

export const isElf = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\x7fELF'

/** @throws Error for anything but a 64-bit little-endian ELF file */
export function elfFacts(bytes: Uint8Array): ElfFacts {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1) throw new Error('it is not a 64-bit ELF file')
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const machine = file.readUInt16LE(18)
  return { arch: ARCHES[machine] ?? `machine ${machine}`, needed: neededBy(file) }
}

function neededBy(file: Buffer): readonly string[] {
  const word = (at: number): number => Number(file.readBigUInt64LE(at))
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = word(32) + index * PROGRAM_HEADER_BYTES
    return { type: file.readUInt32LE(at), offset: word(at + 8), address: word(at + 16), size: word(at + 32) }
  })
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
  if (dynamic === undefined) return []
  const entries = Array.from({ length: dynamic.size / DYNAMIC_ENTRY_BYTES }, (_, index) => {
    const at = dynamic.offset + index * DYNAMIC_ENTRY_BYTES
    return { tag: word(at), value: word(at + 8) }
  })
  const strings = entries.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0
  const home = segments.find(
    ({ type, address, size }) => type === PT_LOAD && strings >= address && strings < address + size,
  )
  if (home === undefined) return []
  const textAt = (at: number): string => file.toString('latin1', at, file.indexOf(0, at))
  return entries
    .filter(({ tag }) => tag === DT_NEEDED)
    .map(({ value }) => textAt(strings - home.address + home.offset + value))
}
