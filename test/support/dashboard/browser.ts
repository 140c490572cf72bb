import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's and others', on PATH; the one that playwright would download is not wanted. */
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome']

/** Path of the browser that the page is tested in; undefined: there is none here. */
export const chromiumPath = (): string | undefined =>
  process.env.HERMES_TEST_CHROMIUM ||
  CHROMIUM.flatMap((name) => (process.env.PATH ?? '').split(':').map((dir) => join(dir, name))).find((path) =>
    existsSync(path),
  )

/** Why the browser tests cannot run, in one line; undefined: they can. */
export const whyNoBrowser = (): string | undefined =>
  chromiumPath() === undefined
    ? 'there is no Chromium (apt-get install chromium, or name one in HERMES_TEST_CHROMIUM)'
    : undefined
