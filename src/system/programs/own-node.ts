import { join } from 'node:path'

/** The programs of ours that are processes of their own: `lib/X.cjs`. All other bundles are loaded by one of these. */
export type OwnProgram = 'hermes' | 'init' | 'repair' | 's6' | 's6-log' | 'services' | 'supervisor'

/**
 * Options of every Node that we start, whoever runs it. Without the first one a USR1 opens an inspector, a port by which every uid of
 * the container runs code in that process; the option blocks the signal from the first instruction on (who
 * is to hear it unblocks it: `Native.unblock`).
 * process.exit can hang in a join of V8's workers, so there are none.
 */
const EVERY = ['--disable-sigusr1', '--v8-pool-size=0', '--disable-warning=ExperimentalWarning'] as const
/** For what lives as long as the container and allocates little. */
const SMALL_HEAP = '--max-semi-space-size=1'

const options: Readonly<Record<OwnProgram, readonly string[]>> = {
  hermes: EVERY,
  init: [...EVERY, SMALL_HEAP],
  repair: EVERY,
  s6: EVERY,
  's6-log': [...EVERY, SMALL_HEAP],
  services: EVERY,
  supervisor: [...EVERY, SMALL_HEAP],
}

/**
 * The command line of a program of ours.
 * @param install the directory that holds `lib`
 */
export const ownNode = (program: OwnProgram, install: string): readonly [string, ...string[]] => [
  process.execPath,
  ...options[program],
  join(install, 'lib', `${program}.cjs`),
]

/**
 * Variables that make the dynamic linker (ld.so(8)), the C library (iconv(3)) or OpenSSL (config(5)) load code from a file that they
 * name. A value may name a file that others can write, so what runs as root goes without them.
 */
export const CODE_LOADERS = [
  'LD_PRELOAD',
  'LD_LIBRARY_PATH',
  'LD_AUDIT',
  'GCONV_PATH',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
] as const

/** Likewise of what runs as root and is no program of ours: a hook may be a script for Node, bash, or dash, which OPTIND keeps from starting. */
export const ROOT_GOES_WITHOUT: readonly string[] = [
  ...CODE_LOADERS,
  'NODE_OPTIONS',
  'NODE_PATH',
  'BASH_ENV',
  'ENV',
  'OPTIND',
]

/** What the wrappers take out of the environment before a Node of ours starts, so that it loads nobody's code: `X` travels as this + `X`. */
export const SAVED_PREFIX = 'HERMES_SAVED_'

/** A Node parent's way to talk to us: its descriptor is not our children's. */
const OF_THE_PARENT = /^HERMES_SAVED_NODE_(CHANNEL|UNIQUE)_/

/** The first line of a wrapper puts it aside whether it is set or not; empty, it was not. */
const SET_OR_NOT = `${SAVED_PREFIX}OPTIND`

/** Gives the variables that a wrapper has put aside their own names again. */
export function giveBackSaved(env: Record<string, string | undefined>): void {
  for (const name of Object.keys(env).filter((one) => one.startsWith(SAVED_PREFIX))) {
    const isSet = name !== SET_OR_NOT || env[name] !== ''
    if (isSet && !OF_THE_PARENT.test(name)) env[name.slice(SAVED_PREFIX.length)] = env[name]
    delete env[name]
  }
}

/** The same facts for the wrappers, as text for sh: `bin/own-node.sh` of an install. */
export const ownNodeShell = (): string =>
  [
    '# Made by scripts/build.ts from src/system/programs/own-node.ts; sourced by node.sh.',
    `code_loaders='${CODE_LOADERS.join(' ')}'`,
    'options_of() {',
    '  case $1 in',
    ...Object.entries(options).map(([program, words]) => `  ${program}) options='${words.join(' ')}' ;;`),
    '  esac',
    '}',
    '',
  ].join('\n')
