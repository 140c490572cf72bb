/** A real Chromium that records what must not happen: errors on the console, requests to anywhere else. */
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { chromiumPath } from '../support/dashboard/browser.ts'

/** Nothing on a page takes so long, on a busy machine either. */
const WAIT_MS = 90_000

const OUTPUT = join(dirname(dirname(import.meta.dirname)), 'test-output', 'dashboard')

export async function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error('there is no Chromium')
  return chromium.launch({
    executablePath,
    // Nothing but the page is to be loaded from anywhere, by the browser itself either.
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A browser tab of its own, and what happened in it. */
export class Tab implements AsyncDisposable {
  readonly page: Page
  readonly #context: BrowserContext
  readonly #origin: string
  readonly requests: string[] = []
  /** Errors and warnings of the console, and uncaught exceptions. */
  readonly complaints: string[] = []

  private constructor(context: BrowserContext, page: Page, origin: string) {
    this.#context = context
    this.page = page
    this.#origin = origin
    page.on('request', (request) => this.requests.push(request.url()))
    page.on('pageerror', (error) => this.complaints.push(String(error.stack ?? error)))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text())
    })
  }

  static async open(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Tab> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, baseURL: origin, ...options })
    context.setDefaultTimeout(WAIT_MS)
    return new Tab(context, await context.newPage(), origin)
  }

  /** Requests that left for anywhere but the dashboard. */
  strangers(): string[] {
    const known = [`${this.#origin}/`, `${this.#origin.replace('http', 'ws')}/`, 'data:', 'blob:']
    return this.requests.filter((url) => !known.some((prefix) => url.startsWith(prefix)))
  }

  /** Kept in test-output/, for people to look at. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(OUTPUT, { recursive: true })
    await this.page.screenshot({ path: join(OUTPUT, `${name}.png`) })
  }

  /** Waits until a place of the page has such a text. */
  async sees(selector: string, text: string | RegExp, deadlineMs = WAIT_MS): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: deadlineMs })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A request that a test holds up may be on its way: its handler must not fail with the end of the page.
    await this.page.unrouteAll({ behavior: 'ignoreErrors' })
    await this.#context.close()
  }
}
