// The workers' own account: what worker.ts writes into the volume of its node.

/** A worker as it has seen itself. Instants are those of the machine's clock, ms. */
export interface Life {
  readonly node: string
  readonly run: number
  readonly task: string
  readonly beganAtMs: number
  /** Its last word: until here it lived for certain. */
  readonly lastAtMs: number
  /** It has done its task. */
  readonly finished: boolean
  /** How often a process began it: once, or not at all if it was stopped before its first word. */
  readonly begins: number
}

const LINE = /^(began|lives|finished|stopped) (\d+\.\d+) run=(\d+) task=(\S+)$/

/**
 * @param text lines `began|lives|finished|stopped SECONDS run=RUN task=TASK`; the last one may be torn by a crash
 * @throws Error for a line that no worker has written
 */
export function readAccount(node: string, text: string): readonly Life[] {
  const lives = new Map<number, Life>()
  const lines = text.split('\n').slice(0, -1)
  for (const [index, line] of lines.entries()) {
    const [, word = '', seconds = '', run = '', task = ''] = LINE.exec(line) ?? []
    if (word === '') throw new Error(`line ${index + 1} of the account of ${node}: ${JSON.stringify(line)}`)
    const atMs = Number(seconds) * 1000
    const known = lives.get(Number(run))
    const life = known ?? { node, run: Number(run), task, beganAtMs: atMs, lastAtMs: atMs, finished: false, begins: 0 }
    lives.set(life.run, {
      ...life,
      lastAtMs: atMs,
      finished: life.finished || word === 'finished',
      begins: life.begins + (word === 'began' ? 1 : 0),
    })
  }
  return [...lives.values()]
}
