// Output of `npm test` while it runs: on a terminal the live summary, elsewhere a line a minute; of tests only those
// that fail. At the end it writes a report for `npm test` itself.
import { writeFileSync } from 'node:fs'
import { DefaultReporter, type TestCase, type TestModule } from 'vitest/node'

import type { Skipped } from './left-out.ts'
import { REPORT_FILE } from './report-file.ts'
import { endWithStarter } from './run-end.ts'

const MINUTE_MS = 60_000

export interface Report {
  readonly passed: number
  /** Includes files that could not be loaded. */
  readonly failed: number
  readonly skipped: readonly Skipped[]
}

export default class QuietReporter extends DefaultReporter {
  #passed = 0
  #failed = 0
  #files = 0
  #all = 0
  #everyMinute: NodeJS.Timeout | undefined
  #startedAtMs = 0

  constructor() {
    super({ silent: 'passed-only' })
    endWithStarter('vitest')
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
    const file = process.env[REPORT_FILE]
    if (file !== undefined) writeFileSync(file, JSON.stringify(reportOf(args[0])))
    super.onTestRunEnd(...args)
  }

  #sayWhere(): void {
    const minutes = Math.round((Date.now() - this.#startedAtMs) / MINUTE_MS)
    this.log(`${minutes} min: ${this.#files} of ${this.#all} files, ${this.#passed} passed, ${this.#failed} failed`)
  }
}

function reportOf(modules: readonly TestModule[]): Report {
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  const broken = modules.filter(
    (module) => module.state() === 'failed' && [...module.children.allTests('failed')].length === 0,
  )
  return {
    passed: tests.filter((test) => test.result().state === 'passed').length,
    failed: tests.filter((test) => test.result().state === 'failed').length + broken.length,
    skipped: tests.flatMap((test) => {
      const result = test.result()
      if (result.state !== 'skipped') return []
      const note = result.note === undefined ? {} : { note: result.note }
      return [{ title: test.name, ancestorTitles: groupsOf(test), ...note }]
    }),
  }
}

/** The names of the groups that a test is in, outermost first. */
function groupsOf({ parent }: TestCase): readonly string[] {
  const names: string[] = []
  for (let group = parent; group.type === 'suite'; group = group.parent) names.unshift(group.name)
  return names
}
