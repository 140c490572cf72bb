import { existsSync } from 'node:fs'

/** Debian's; the one that playwright would download is not wanted. */
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Path of the browser that the page is tested in; undefined: there is none here. */
export const chromiumPath = (): string | undefined =>
  process.env.HERMES_TEST_CHROMIUM || CHROMIUM.find((path) => existsSync(path))

/** Why the browser tests cannot run, in one line; undefined: they can. */
export const whyNoBrowser = (): string | undefined =>
  chromiumPath() === undefined
    ? 'there is no Chromium (apt-get install chromium, or name one in HERMES_TEST_CHROMIUM)'
    : undefined
