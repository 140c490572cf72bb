import { HermesError } from '../../../system/errors.ts'
import { readSecretFile, secretProblem } from '../../../system/files/secret-file.ts'
import type { Context } from '../../context/context.ts'
import { openPrompter } from '../../terminal/terminal.ts'

const PASSPHRASE_FILE = 'HERMES_BACKUP_PASSPHRASE_FILE'
const PASSPHRASE = PASSPHRASE_FILE.replace(/_FILE$/, '')

/** From the file that the variable names, else typed twice. @throws HermesError */
export const newPassphrase = (context: Context): Promise<string> =>
  passphraseOf(context, ['Passphrase for the backup: ', 'The same again: '])

/** @throws HermesError that names the variable and what is wrong; the message never quotes the passphrase */
export async function passphraseOf({ env, output }: Context, questions: readonly string[]): Promise<string> {
  const path = env[PASSPHRASE_FILE]
  if (path) {
    const read = readSecretFile(path)
    if (read.problem === undefined) return read.text
    throw new HermesError('REFUSED', secretProblem(PASSPHRASE, path, read.problem), { next: read.next })
  }
  const prompter = openPrompter(output.err)
  try {
    if (!prompter.interactive)
      throw new HermesError('USAGE', 'there is no passphrase, and no terminal to ask for one', {
        next: `set ${PASSPHRASE_FILE} to the path of a file that has it`,
      })
    const typed: (string | undefined)[] = []
    for (const question of questions) typed.push(await prompter.secret(question))
    const [first] = typed
    if (first === undefined || first === '') throw new HermesError('USAGE', 'no passphrase was typed')
    if (typed.every((one) => one === first)) return first
    throw new HermesError('USAGE', 'the passphrases differ; there is no backup', { next: 'run the command again' })
  } finally {
    prompter.close()
  }
}
