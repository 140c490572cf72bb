// Output of `npm test` while it runs: on a terminal the live summary, elsewhere a line a minute; of tests only those
// that fail.
import { writeFileSync } from 'node:fs'
import { DefaultReporter, type TestCase, type TestModule } from 'vitest/node'

import { fullName } from './left-out.ts'

const MINUTE_MS = 60_000

/** Variable that names the file for the reasons of `context.skip(reason)`, as JSON. */
export const NOTES_FILE = 'HERMES_TEST_NOTES'

export default class QuietReporter extends DefaultReporter {
  #passed = 0
  #failed = 0
  #files = 0
  #all = 0
  #everyMinute: NodeJS.Timeout | undefined
  #startedAtMs = 0
  readonly #notes: Record<string, string> = {}

  constructor() {
    super({ silent: 'passed-only' })
  }

  override onTestRunStart(specifications: Parameters<DefaultReporter['onTestRunStart']>[0]): void {
    super.onTestRunStart(specifications)
    // vitest lists every test where there is one file only.
    this.renderSucceed = false
    this.#all = specifications.length
    this.#startedAtMs = Date.now()
    if (this.isTTY) return
    this.#everyMinute = setInterval(() => this.#sayWhere(), MINUTE_MS)
    this.#everyMinute.unref()
  }

  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test)
    const result = test.result()
    if (result.state === 'passed') this.#passed += 1
    if (result.state === 'failed') this.#failed += 1
    if (result.state === 'skipped' && result.note !== undefined)
      this.#notes[fullName({ title: test.name, ancestorTitles: groupsOf(test) })] = result.note
  }

  override onTestModuleEnd(module: TestModule): void {
    this.#files += 1
    super.onTestModuleEnd(module)
  }

  override printTestModule(module: TestModule): void {
    if (module.state() === 'failed') super.printTestModule(module)
  }

  override onTestRunEnd(...args: Parameters<DefaultReporter['onTestRunEnd']>): void {
    clearInterval(this.#everyMinute)
    const file = process.env[NOTES_FILE]
    if (file !== undefined) writeFileSync(file, JSON.stringify(this.#notes))
    super.onTestRunEnd(...args)
  }

  #sayWhere(): void {
    const minutes = Math.round((Date.now() - this.#startedAtMs) / MINUTE_MS)
    this.log(`${minutes} min: ${this.#files} of ${this.#all} files, ${this.#passed} passed, ${this.#failed} failed`)
  }
}

/** The names of the groups that a test is in, outermost first. */
function groupsOf({ parent }: TestCase): readonly string[] {
  const names: string[] = []
  for (let group = parent; group.type === 'suite'; group = group.parent) names.unshift(group.name)
  return names
}
