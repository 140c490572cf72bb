import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { installDir } from '../install.ts'

/** An install tree with a page of three lines: what is served, and how, does not depend on what is in it. */
export function installWithPage(): { readonly install: string } & Disposable {
  const install = mkdtempSync(join(tmpdir(), 'hermes-page-'))
  cpSync(installDir(), install, { recursive: true })
  const page = join(install, 'lib', 'dashboard')
  const script = 'console.log("page")\n'
  rmSync(page, { recursive: true, force: true })
  mkdirSync(join(page, 'assets'), { recursive: true })
  writeFileSync(
    join(page, 'index.html'),
    '<!doctype html><html><head><title>hermes</title></head><body><script type="module" src="/assets/page-1a2b.js"></script></body></html>\n',
  )
  writeFileSync(join(page, 'assets', 'page-1a2b.js'), script)
  writeFileSync(join(page, 'assets', 'page-1a2b.js.gz'), gzipSync(script))
  return { install, [Symbol.dispose]: () => rmSync(install, { recursive: true, force: true }) }
}
