import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leftOut, type Skipped } from './left-out.ts'
import type { Report } from './quiet-reporter.ts'
import { REPORT_FILE } from './report-file.ts'
import { ENDS_WITH, whileWanted } from './run-end.ts'

const root = join(import.meta.dirname, '../..')

/** vitest's projects that need an engine and the image. */
export const CONTAINER_PROJECTS = ['container', 'alone'] as const

/**
 * Runs vitest on some of its projects. Of what it prints, only the failures and how far it is are seen; standard error
 * of the tests, which their programs write to, is shown when the run fails.
 * @returns `summary`: `N passed, N failed, N skipped`, where a file that could not be loaded counts as one failure;
 * `leftOut`: why tests were skipped, a line each
 */
export async function runVitest(
  projects: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ ok: boolean; summary: string; leftOut: readonly string[] }> {
  const scratch = await mkdtemp(join(tmpdir(), 'hermes-test-'))
  const reportFile = join(scratch, 'report.json')
  try {
    const errors: Buffer[] = []
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const reporter = `--reporter=${join(import.meta.dirname, 'quiet-reporter.ts')}`
    const selected = projects.map((project) => `--project=${project}`)
    const child = spawn(process.execPath, [vitest, 'run', ...selected, reporter, ...args], {
      cwd: root,
      // A pid is one of this machine: runs that tests start elsewhere do not have it.
      env: { ...process.env, ...env, [REPORT_FILE]: reportFile, [ENDS_WITH]: undefined },
      // By the channel its reporter sees our end, even a kill -9, and ends the group.
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      detached: true,
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      errors.push(chunk)
    })
    const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(code ?? signal))
    })
    const end = await whileWanted(child, ended)
    if (end !== 0) process.stderr.write(Buffer.concat(errors))
    const report = await readFile(reportFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined // it was interrupted, or killed for its memory
      throw error
    })
    if (report === undefined)
      return { ok: false, summary: `vitest ended early (${end}), without a result`, leftOut: [] }
    const { passed, failed, skipped } = JSON.parse(report) as Report
    const summary = `${passed} passed, ${failed} failed, ${skipped.length} skipped`
    return { ok: end === 0, summary, leftOut: leftOut(skipped.filter((one) => isSelected(one, args))) }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A selection by name (-t) skips all others, which is what was asked for. */
function isSelected({ ancestorTitles, title }: Skipped, args: readonly string[]): boolean {
  const at = args.indexOf('-t')
  const pattern = at === -1 ? undefined : args[at + 1]
  return pattern === undefined || new RegExp(pattern).test([...ancestorTitles, title].join(' '))
}
