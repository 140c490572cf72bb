// Plain English (docs/style.md, "English"): pages, messages, comments, titles of tests, summaries of commands,
// and the length of lines.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  bannedIn,
  bannedInComments,
  bannedInHashComments,
  bannedInTexts,
  bannedInTitles,
  chainedIn,
  type Finding,
  longLinesInSource,
  longLinesOf,
  proseOf,
  summariesIn,
} from './english-rules.ts'

const root = join(import.meta.dirname, '../..')

const below = (folder: string, names: RegExp): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => names.test(name))
    .map((name) => join(folder, name))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const pages = [...readdirSync(root), ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))].filter(
  (name) => name.endsWith('.md'),
)

function inPage(text: string): readonly Finding[] {
  const prose = proseOf(text)
  return [...bannedIn(prose), ...chainedIn(prose), ...longLinesOf(text)]
}

function inSource(file: string, text: string): readonly Finding[] {
  return [
    ...(file.startsWith('src/') ? bannedInTexts(file, text) : []),
    ...(file.startsWith('test/') ? bannedInTitles(file, text) : []),
    ...bannedInComments(file, text),
    ...(file.startsWith('src/cli/') ? summariesIn(file, text) : []),
    ...longLinesInSource(file, text),
  ]
}

const sources = ['src', 'test', 'scripts', 'bin'].flatMap((folder) => below(folder, /\.tsx?$/))
const scripts = ['Dockerfile', 'compose.yaml', '.ci/run', ...below('docker', /./), ...below('deploy', /./)].filter(
  (name) => statSync(join(root, name)).isFile(),
)
const findings = [
  ...pages.flatMap((file) => inPage(read(file)).map((finding) => ({ file, ...finding }))),
  ...scripts.flatMap((file) => bannedInHashComments(read(file)).map((finding) => ({ file, ...finding }))),
  ...sources.flatMap((file) => inSource(file, read(file)).map((finding) => ({ file, ...finding }))),
]
for (const { file, line, text, why } of findings) process.stderr.write(`${file}:${line}: ${text}: ${why}\n`)
process.exitCode = findings.length === 0 ? 0 : 1
