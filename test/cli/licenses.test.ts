import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { licensesText } from '../../scripts/build/licenses.ts'
import { installDir } from '../support/install.ts'
import { scratchDir } from '../support/scratch.ts'

const root = join(import.meta.dirname, '../..')

test('every package that is used is in THIRD-PARTY-LICENSES, with a text, also in the page', () => {
  const text = readFileSync(join(installDir(), 'THIRD-PARTY-LICENSES'), 'utf8')
  const bundled = JSON.parse(readFileSync(join(root, 'scripts', 'build', 'bundled.json'), 'utf8')) as readonly string[]
  const named = [...text.matchAll(/^=+\n\n(\S+) \d[^:]*?(?: \(of (\S+)\))?: (.+)\n\n(.)/gm)]
  const names = named.flatMap(([, name, of]) => [name, of])
  // The sources import only packages that the list has. Packages that those import are included too.
  const more = ['oauth4webapi', 'jose', 'sonic-boom', '@preact/signals-core', 'pg-protocol', 'pgpass']
  for (const name of [...bundled, ...more]) expect(names).toContain(name)
  for (const section of named) expect(section[3]).toMatch(/^(MIT|ISC|OFL-1\.1|BSD|Apache)/)
  const assets = join(installDir(), 'lib', 'dashboard', 'assets')
  const [served = ''] = readdirSync(assets).filter((name) => name.startsWith('licenses-'))
  expect(readFileSync(join(assets, served), 'utf8')).toBe(text)
})

test('a package without a licence text stops the build, by its name', () => {
  const dir = scratchDir('hermes-licenses-')
  const bare = join(dir, 'node_modules', 'bare')
  mkdirSync(bare, { recursive: true })
  writeFileSync(join(bare, 'package.json'), '{"version": "1.0.0", "license": "MIT"}')
  expect(() => licensesText(dir, ['bare'])).toThrow('no licence text in node_modules/bare')
  writeFileSync(join(bare, 'LICENCE.md'), 'as you like')
  expect(licensesText(dir, ['bare'])).toContain('bare 1.0.0: MIT\n\nas you like')
  rmSync(join(bare, 'LICENCE.md'))
  writeFileSync(
    join(bare, 'README.md'),
    '# bare\n\n## License\n\nPermission is hereby granted, to you\n\n## More\n\nx\n',
  )
  expect(licensesText(dir, ['bare'])).toMatch(/: MIT\n\nPermission is hereby granted, to you$/)
})
