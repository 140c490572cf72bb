// The checkout as a clone of it would be: a copy of one's own, in which a test may build and write.
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../pages.ts'
import { HOST_CA_BUNDLE } from './image.ts'

/** Without what npm, a build or a run has made here. */
export function copyCheckout(to: string): void {
  cpSync(root, to, {
    // Node would make /init's target absolute.
    verbatimSymlinks: true,
    recursive: true,
    filter: (path) => !/\/(node_modules|\.git|dist|\.hermes)(\/|$)/.test(path),
  })
}

/** A build behind a proxy that inspects TLS has to trust what this machine does. */
export function trustHostCertificates(checkout: string): void {
  if (existsSync(HOST_CA_BUNDLE)) cpSync(HOST_CA_BUNDLE, join(checkout, 'docker', 'ca', 'host.crt'))
}
