// npm run lint:workflows: what actionlint finds in the hosted workflows.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createLinter } from 'actionlint'

const root = dirname(dirname(import.meta.dirname))
const dir = join(root, '.github', 'workflows')
const lint = await createLinter()
const files = readdirSync(dir).map((name) => join(dir, name))
for (const file of files)
  for (const { line, message, kind } of lint(readFileSync(file, 'utf8'), file)) {
    // Its list of runners is older than ours.
    if (kind === 'runner-label') continue
    process.stderr.write(`${relative(root, file)}:${line}: ${message}\n`)
    process.exitCode = 1
  }
process.stdout.write(`${files.length} workflow files\n`)
