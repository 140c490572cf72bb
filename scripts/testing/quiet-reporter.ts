// What `npm test` shows while it runs: on a terminal the live summary, elsewhere a line a minute; of tests only those that fail.
import { DefaultReporter, type TestCase, type TestModule } from 'vitest/node'

const MINUTE_MS = 60_000

export default class QuietReporter extends DefaultReporter {
  #passed = 0
  #failed = 0
  #files = 0
  #all = 0
  #everyMinute: NodeJS.Timeout | undefined
  #startedAtMs = 0

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
    const { state } = test.result()
    if (state === 'passed') this.#passed += 1
    if (state === 'failed') this.#failed += 1
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
    super.onTestRunEnd(...args)
  }

  #sayWhere(): void {
    const minutes = Math.round((Date.now() - this.#startedAtMs) / MINUTE_MS)
    this.log(`${minutes} min: ${this.#files} of ${this.#all} files, ${this.#passed} passed, ${this.#failed} failed`)
  }
}
