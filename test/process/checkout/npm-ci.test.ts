// `npm ci` needs nothing besides unpacking that a machine with only Node could not do.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pathWithout } from '../../support/hostile/path-without.ts'
import { root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'

/** npm builds every package that has this file, unless it is set to run no scripts. */
const TO_BE_BUILT = 'binding.gyp'

const whyNoNpm = whyMissing('npm')
test.skipIf(whyNoNpm !== undefined)(named('it needs neither a compiler, nor Python, nor a download', whyNoNpm), () => {
  const dir = scratchDir('hermes-npm-ci-')
  const packages = readdirSync(join(root, 'node_modules')).filter((name) =>
    existsSync(join(root, 'node_modules', name, TO_BE_BUILT)),
  )
  expect(packages).toContain('better-sqlite3')
  const checkout = join(dir, 'checkout')
  for (const path of ['.npmrc', ...packages.map((name) => join('node_modules', name))])
    cpSync(join(root, path), join(checkout, path), { recursive: true })
  const dependencies = Object.fromEntries(packages.map((name) => [name, '*']))
  writeFileSync(join(checkout, 'package.json'), JSON.stringify({ name: 'checkout', dependencies }))
  const programs = pathWithout(join(dir, 'bin'), (name) => /^(python|g\+\+|gcc|cc|c\+\+|clang|make)/.test(name))
  // The part of `npm ci` that comes after the download.
  const env = { PATH: programs, HOME: dir, npm_config_offline: 'true' }
  const { status, stderr } = spawnSync('npm', ['rebuild'], { cwd: checkout, env, encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})
