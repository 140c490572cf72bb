import { execa } from 'execa'

/** Exports of the bundle of this file, which only `config edit` needs. */
export interface EditorBundle {
  /**
   * Opens a file in an editor on our terminal.
   * @param editor what EDITOR holds; it may have arguments, so a shell runs it, as git does
   * @returns `exitCode` of the shell, and in one line how the editor failed; undefined: it ended with 0
   */
  editFile(editor: string, file: string): Promise<{ readonly exitCode: number | undefined; readonly failure?: string }>
}

export const editFile: EditorBundle['editFile'] = async (editor, file) => {
  const result = await execa('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], {
    stdio: 'inherit',
    reject: false,
    // dash ends at once where OPTIND is not a number.
    env: { OPTIND: undefined },
    // Ctrl-C is the editor's: nothing of ours listens for it, or ends the editor for it.
    cleanup: false,
  })
  if (!result.failed) return { exitCode: 0 }
  const { exitCode, signal } = result
  return { exitCode, failure: signal === undefined ? `exit code ${exitCode ?? result.code}` : signal }
}
