import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { root } from '../support/pages.ts'

/** The projects that `npm run typecheck` checks. */
function projects(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { typecheck: string } }
  return scripts.typecheck.split(' && ').map((command) => /--project (\S+)/.exec(command)?.[1] ?? '.')
}

function filesOf(project: string): readonly string[] {
  const file = join(root, project, 'tsconfig.json')
  const { config } = ts.readConfigFile(file, ts.sys.readFile)
  return ts.parseJsonConfigFileContent(config, ts.sys, dirname(file)).fileNames.map((name) => relative(root, name))
}

test('every file of TypeScript is checked by one of the projects', () => {
  const files = ['bin', 'scripts', 'src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(folder, name)),
  )
  expect(files.length).toBeGreaterThan(500)
  const checked = new Set(projects().flatMap(filesOf))
  expect(files.filter((name) => !checked.has(name))).toEqual([])
})
