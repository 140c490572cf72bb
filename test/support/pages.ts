// The pages a user reads, as data: their command blocks, links and headings.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(import.meta.dirname))

export interface Page {
  /** Relative to the checkout: `docs/run-it.md`. */
  readonly path: string
  readonly text: string
}

export interface Block {
  /** `sh`, `yaml` …; with what follows it on the line, such as `norun`. */
  readonly info: string
  readonly line: number
  readonly text: string
}

export function pages(): readonly Page[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name))
  return ['README.md', 'CHANGELOG.md', ...docs.sort()].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  }))
}

export function blocks({ text }: Page): readonly Block[] {
  const found: Block[] = []
  let open: { info: string; line: number; lines: string[] } | undefined
  text.split('\n').forEach((content, index) => {
    const fence = /^ *```(.*)$/.exec(content)
    if (fence === null) open?.lines.push(content)
    else if (open === undefined) open = { info: (fence[1] ?? '').trim(), line: index + 1, lines: [] }
    else {
      found.push({ info: open.info, line: open.line, text: open.lines.join('\n') })
      open = undefined
    }
  })
  return found
}

/** Blocks of shell commands that a reader may type as they stand. */
export const commandBlocks = (page: Page): readonly Block[] => blocks(page).filter(({ info }) => info === 'sh')

const withoutBlocks = (text: string): string => text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')

/** Targets of the page's links and images, as they are written. */
export const links = ({ text }: Page): readonly string[] =>
  [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string)

/** Anchors of a page's headings, as GitHub makes them. */
export const anchors = ({ text }: Page): readonly string[] =>
  [...withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)].map((match) =>
    (match[1] as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
