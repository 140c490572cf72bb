import { HermesError } from '../../system/errors.ts'
import { openPrompter } from './terminal.ts'

/**
 * Asks a person before something that cannot be undone.
 * @param print writes the question; never to standard output
 * @param what `this deletes 3 tasks`, the beginning of a sentence
 * @param next the command that does it without a question
 * @throws HermesError USAGE: there is no terminal; REFUSED: the answer is not yes
 */
export async function confirm(print: (text: string) => void, what: string, next: string): Promise<void> {
  const prompter = openPrompter(print)
  try {
    if (!prompter.interactive)
      throw new HermesError('USAGE', `${what}; there is no terminal to ask for confirmation`, { next })
    const answer = (await prompter.ask(`${what}. Continue? [y/N] `)) ?? ''
    if (!/^y(es)?$/i.test(answer)) throw new HermesError('REFUSED', 'not confirmed; nothing was changed')
  } finally {
    prompter.close()
  }
}
