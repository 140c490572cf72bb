import { statSync } from 'node:fs'
import { type ExitCode, HermesError } from '../errors.ts'
import { fileVariable, splitSecretFiles } from '../secret-variables.ts'
import { openProblem, readRegularBytes } from './small-file.ts'

/** Longest secret, in bytes: far more than a key or a password needs. */
export const MAX_SECRET_BYTES = 65_536

/** The text of a secret, or what is wrong with its file and what to do. */
export type Secret =
  | { readonly text: string; readonly problem?: undefined }
  | {
      readonly text?: undefined
      readonly problem: string
      readonly next: string
      /** The rights of this process are the reason. */
      readonly forbidden?: true
      /** There is no such file. */
      readonly missing?: true
    }

/**
 * Reads a secret that was mounted as a file. One newline at its end is not part of the secret. Never throws, and never
 * waits for a FIFO.
 */
export function readSecretFile(path: string): Secret {
  if (!path.startsWith('/')) return { problem: 'is not an absolute path', next: 'name the file from / on' }
  let bytes: Buffer
  try {
    bytes = readRegularBytes(path, MAX_SECRET_BYTES)
  } catch (error) {
    return unreadable(path, error as NodeJS.ErrnoException)
  }
  const text = secretText(bytes)
  if (typeof text === 'string') return { text }
  return text.is === 'empty'
    ? { problem: 'is empty', next: 'write the secret into it' }
    : { problem: 'is binary, not text in UTF-8', next: 'write the secret into it as text' }
}

/** The secret in what a file contains or a program prints: text, without one newline at its end. */
export function secretText(bytes: Buffer): string | { readonly is: 'empty' | 'binary' } {
  const text = textOf(bytes)?.replace(/\r?\n$/, '')
  if (text === undefined) return { is: 'binary' }
  return text === '' ? { is: 'empty' } : text
}

function unreadable(path: string, error: NodeJS.ErrnoException): Secret {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { problem: 'does not exist', next: 'mount the secret there, or correct the variable', missing: true }
    case 'EACCES':
      return {
        problem: `may not be read by uid ${process.geteuid?.()} (EACCES)`,
        next: 'let that user read the file and enter its directories',
        forbidden: true,
      }
  }
  if (isDirectory(path))
    return {
      problem: 'is a directory',
      next: 'name a file; Docker makes a directory where the source of a mount is missing',
    }
  return {
    problem: error.code === undefined ? error.message.replace(/^it /, '') : openProblem(error.code),
    next: 'name a file that contains only the secret',
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false // it has gone, or may not be looked at: the first error says so
  }
}

function textOf(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** One line: the variable, its file, what is wrong. */
export const secretProblem = (secret: string, path: string, problem: string): string =>
  `${fileVariable(secret)}=${path}: ${problem}`

/**
 * Secrets that `NAME_FILE` variables of this process name, read with its own rights: for programs that init has not
 * given them to.
 * @param exitCode of the error
 * @throws HermesError naming the variable, the file and the problem
 */
export function ownSecrets(
  variables: Readonly<Record<string, string | undefined>>,
  secrets: readonly string[],
  exitCode?: ExitCode,
): Readonly<Record<string, string>> {
  try {
    const { files } = splitSecretFiles(variables, secrets)
    return Object.fromEntries(Object.entries(files).map(([secret, path]) => [secret, textOrThrow(secret, path)]))
  } catch (error) {
    if (!(error instanceof HermesError) || exitCode === undefined) throw error
    throw new HermesError(error.code, error.message, { ...(error.next && { next: error.next }), exitCode })
  }
}

function textOrThrow(secret: string, path: string): string {
  const read = readSecretFile(path)
  if (read.problem === undefined) return read.text
  throw new HermesError('REFUSED', secretProblem(secret, path, read.problem), { next: read.next })
}
