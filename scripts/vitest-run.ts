import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly name: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/**
 * Runs vitest on some of its projects, with its own output on our terminal.
 * @returns `summary`: `N passed, N failed, N skipped`, where a file that could not be loaded counts as one failure
 */
export async function runVitest(
  projects: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ ok: boolean; summary: string }> {
  const scratch = await mkdtemp(join(tmpdir(), 'hermes-test-'))
  const reportFile = join(scratch, 'report.json')
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
      const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
      const selected = projects.map((project) => `--project=${project}`)
      const child = spawn(process.execPath, [vitest, 'run', ...selected, ...reporters, ...args], {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      child.once('error', reject)
      child.once('close', resolve)
    })
    const report = JSON.parse(await readFile(reportFile, 'utf8')) as Report
    const brokenFiles = report.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    ).length
    const failed = report.numFailedTests + brokenFiles
    const summary = `${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`
    return { ok: exitCode === 0, summary }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
