// The native files of a build: which file of which package, for each machine that there are builds for.
import { join } from 'node:path'
import { type ElfFacts, elfFacts } from './elf.ts'

export interface Target {
  readonly arch: 'x64' | 'arm64'
  readonly musl: boolean
}

export const TARGETS: Readonly<Record<string, Target>> = {
  'linux-x64': { arch: 'x64', musl: false },
  'linux-arm64': { arch: 'arm64', musl: false },
  'linuxmusl-x64': { arch: 'x64', musl: true },
  'linuxmusl-arm64': { arch: 'arm64', musl: true },
}

/** The name of this machine in {@link TARGETS}, or one like it for an architecture that is not in there. */
export function thisTarget(): string {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return `linux${header.glibcVersionRuntime === undefined ? 'musl' : ''}-${process.arch}`
}

/** @throws Error that names the targets */
export function targetOf(name: string): Target {
  const target = TARGETS[name]
  if (target === undefined)
    throw new Error(`no native files for ${name}; there are: ${Object.keys(TARGETS).join(', ')}`)
  return target
}

/** The packages that hold files for one architecture only, so that npm installs one of them. */
export const packagesFor = ({ arch, musl }: Target): readonly string[] => [
  `@koromix/koffi-linux-${arch}`,
  ...(musl ? [] : [`@lydell/node-pty-linux-${arch}`]),
]

/**
 * Native files by their names in lib/, as paths below node_modules. The terminal is prebuilt for glibc only; without
 * it the dashboard has no such tab, and says so.
 */
export const nativeFiles = ({ arch, musl }: Target): Readonly<Record<string, string>> => ({
  'koffi.node': join(`@koromix/koffi-linux-${arch}`, `${musl ? 'musl' : 'linux'}_${arch}`, 'koffi.node'),
  'better-sqlite3.node': join('better-sqlite3', 'prebuilds', `linux${musl ? 'musl' : ''}-${arch}.node`),
  ...(!musl && { 'pty.node': join(`@lydell/node-pty-linux-${arch}`, 'pty.node') }),
})

const LIBC = { x64: 'libc.musl-x86_64.so.1', arm64: 'libc.musl-aarch64.so.1' } as const

/** Why a native file is not one for the target, in a few words; undefined: it is. */
export function wrongFor({ arch, musl }: Target, file: Uint8Array): string | undefined {
  let facts: ElfFacts
  try {
    facts = elfFacts(file)
  } catch (error) {
    return (error as Error).message
  }
  if (facts.arch !== arch) return `it is for ${facts.arch}`
  const libc = musl ? LIBC[arch] : 'libc.so.6'
  return facts.needed.includes(libc) ? undefined : `it needs ${facts.needed.join(', ')}, not ${libc}`
}
