import type { ChildProcess } from 'node:child_process'

/** Output of a program so far, of the streams that are pipes. */
export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** Collects what a program writes, as text. */
export function outputOf({ stdout, stderr }: Pick<ChildProcess, 'stdout' | 'stderr'>): Output {
  const output = { stdout: '', stderr: '' }
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  return output
}
