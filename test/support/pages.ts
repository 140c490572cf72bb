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
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.sort()].map((path) => ({
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

/** These want a program of their own: their tests have their names, in test/container. */
const OTHER_ENGINES = ['docs/many-machines.md', 'docs/podman.md', 'docs/swarm.md']

/** Typed where helm and kubectl are, without a cluster (test/deploy/docs.test.ts). */
export const runsWithCluster = ({ text }: Block): boolean => /^(helm|kubectl) /m.test(text)

/**
 * Typed on the host by an ordinary user of the group docker (test/container/image/docs.test.ts): the page speaks to an
 * engine, or to a port that a container publishes. Blocks that need no engine are left to {@link runsByHand}.
 */
export function runsWithDocker(page: Page, block: Block): boolean {
  const { text } = block
  const speaksDocker = commandBlocks(page).some((one) => /^docker(-compose)? |localhost:(8642|9119)/m.test(one.text))
  const needsNoEngine = !/docker/.test(text) && /(^|\| )(hermes|npm|\.\/dist\/bin\/hermes) /m.test(text)
  return speaksDocker && !needsNoEngine && !runsWithCluster(block) && !OTHER_ENGINES.includes(page.path)
}

/** Typed into a copy of the checkout, beside `npm run dev` (test/process/checkout/contributing.test.ts). */
export const OF_DEVELOPERS: readonly string[] = ['CONTRIBUTING.md', 'docs/debugging.md']

/** Typed by a user with a home of its own, in which it installs the package (test/process/checkout/install.test.ts). */
const OF_INSTALLERS = ['docs/install.md']

/** Typed on a machine without Docker, against a supervisor of its own (test/process/checkout/docs.test.ts). */
export function runsByHand(page: Page, block: Block): boolean {
  const needsEngine = (one: Block): boolean =>
    runsWithCluster(one) || /(^|\s)docker(-compose)? |localhost:|^npm (ci|run|start|test)/m.test(one.text)
  const speaksHermes = commandBlocks(page).some((one) => !needsEngine(one) && /(^|\/)hermes /m.test(one.text))
  return (
    speaksHermes && !needsEngine(block) && ![...OTHER_ENGINES, ...OF_DEVELOPERS, ...OF_INSTALLERS].includes(page.path)
  )
}

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
