/** `hermes completion install` */
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname } from 'node:path'
import { hasCode, unlessCode } from '../../../system/error-code.ts'
import { HermesError } from '../../../system/errors.ts'
import { makeDirectory } from '../../../system/files/directory.ts'
import { replaceFileSync } from '../../../system/files/replace-file.ts'
import { isImageInstall } from '../../../system/programs/install.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { imageFile, placeOf } from '../../completion/places.ts'
import { SHELLS, type Shell, scriptMark } from '../../completion/script.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'

/** @throws HermesError USAGE: no shell is known; EXISTS: a file of another origin; FAILED: it cannot be written */
export function installCompletion(
  context: Pick<Context, 'env' | 'install' | 'uid'>,
  input: Input,
  scriptOf: (shell: Shell) => string,
): Outcome {
  const shell = shellOf(textOption(input, 'shell'), context.env.SHELL)
  const ofImage = imageFile(shell)
  if (isImageInstall(context.install) && existsSync(ofImage))
    return { text: `${ofImage} is part of the image\n`, json: { shell, file: ofImage, changed: false } }
  const file = placeOf(shell, { env: context.env, home: context.env.HOME || homedir(), isRoot: context.uid === 0 })
  const changed = write(file, shell, scriptOf(shell))
  const next = nextStep(shell, file, context.uid === 0)
  return {
    text: `${file} is ${changed ? 'written' : 'up to date'}\n  next: ${next}\n`,
    json: { shell, file, changed, next },
  }
}

function shellOf(wished: string | undefined, ofUser: string | undefined): Shell {
  const name = wished ?? basename(ofUser ?? '')
  const shell = SHELLS.find((one) => one === name)
  if (shell !== undefined) return shell
  throw new HermesError(
    'USAGE',
    wished === undefined
      ? `the variable SHELL names none of ${SHELLS.join(', ')}`
      : `there is no completion for the shell ${JSON.stringify(wished.slice(0, 80))}`,
    { next: `hermes completion install --shell ${SHELLS.join('|')}` },
  )
}

function nextStep(shell: Shell, file: string, isRoot: boolean): string {
  if (shell === 'fish') return 'type hermes and press Tab'
  if (shell === 'bash')
    return `start a new shell; without the package bash-completion, add to ~/.bashrc: source ${shellWord(file)}`
  return isRoot
    ? 'start a new shell; ~/.zshrc has to call compinit'
    : `add to ~/.zshrc, before its line with compinit: fpath=(${shellWord(dirname(file))} $fpath)`
}

/** @returns false: the file is there with this content */
function write(file: string, shell: Shell, script: string): boolean {
  try {
    const there = unlessCode(['ENOENT'], () => lstatSync(file))
    const text = there?.isFile() === true ? readFileSync(file, 'utf8') : undefined
    if (text === script) return false
    if (there !== undefined && !text?.split('\n', 2).includes(scriptMark(shell)))
      throw new HermesError('EXISTS', `${file} was not written by hermes`, {
        next: `remove it first, or compare it with hermes completion ${shell}`,
      })
    makeDirectory(dirname(file), 0o755)
    replaceFileSync(file, script, { mode: 0o644 })
    return true
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST')) throw error
    throw new HermesError('FAILED', `${file} cannot be written: ${(error as NodeJS.ErrnoException).code}`, {
      next: `make ${shellWord(dirname(file))} a directory that you can write to, or use: hermes completion ${shell}`,
    })
  }
}
