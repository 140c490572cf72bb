// Completion in real shells: what each offers after a line that was typed.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cliEnvironment, runProgram } from '../../support/cli.ts'
import { installDir } from '../../support/install.ts'
import { Terminal } from '../../support/terminal.ts'
import { waitFor } from '../../support/wait.ts'

/** Words that a shell offers, by line; with descriptions where it shows them: `word` or `word<tab>description`. */
export type Offers = Readonly<Record<string, readonly string[]>>

export interface Asked {
  readonly offers: Offers
  /** Everything that the shell printed besides. */
  readonly errors: string
}

export interface Ask {
  readonly home: string
  /** The completion script, where the shell has it; for zsh, its directory. */
  readonly script: string
  readonly lines: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const environment = ({ home, env }: Ask): Record<string, string> => {
  const own = cliEnvironment({ home })
  return { ...own, PATH: `${join(installDir(), 'bin')}:${own.PATH}`, LC_ALL: 'C.UTF-8', ...env }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const nonEmpty = (lines: readonly string[]): readonly string[] => lines.filter((line) => line !== '')

/** Words as bash divides a line: at spaces, and `=` is a word. */
const bashWords = (line: string): readonly string[] =>
  line
    .split(' ')
    .flatMap((word) =>
      word.startsWith('--') ? word.split(/(=)/).filter((part, at) => part !== '' || at === 0) : [word],
    )

/** Asks bash as readline does: by the variables of its completion function. */
export async function askBash(ask: Ask): Promise<Asked> {
  const questions = ask.lines.map((line) => {
    const words = bashWords(line)
    return `COMP_WORDS=(${words.map(quoted).join(' ')}); COMP_CWORD=${words.length - 1}; _hermes; printf '%s\\n' ${quoted(`== ${line}`)} "\${COMPREPLY[@]}"`
  })
  const script = [`source ${quoted(ask.script)}`, ...questions].join('\n')
  const { stdout, stderr } = await runProgram(['bash', '--norc', '--noprofile', '-c', script], {
    home: ask.home,
    env: environment(ask),
  })
  return { offers: offersOf(stdout), errors: stderr }
}

/** fish completes a line that is an argument. */
export async function askFish(ask: Ask): Promise<Asked> {
  const questions = ask.lines.map((line) => `echo ${quoted(`== ${line}`)}; complete -C ${quoted(line)}`)
  const script = [`source ${quoted(ask.script)}`, ...questions].join('\n')
  const { stdout, stderr } = await runProgram(['fish', '--no-config', '-c', script], {
    home: ask.home,
    env: environment(ask),
  })
  return { offers: offersOf(stdout), errors: stderr }
}

const offersOf = (text: string): Offers =>
  Object.fromEntries(
    text
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const [line = '', ...found] = part.split('\n')
        return [line, nonEmpty(found)]
      }),
  )

/**
 * Records the lines of the list that the completion hands over with compadd. Two keys mark the beginning and the end of
 * a question.
 */
const zshrc = (dir: string): string => `
unset zle_bracketed_paste
fpath=(${quoted(dir)} $fpath)
autoload -Uz compinit && compinit -u -D
LISTMAX=9999 COLUMNS=200
compadd() {
  local -a hits
  if (( ! argv[(I)-[OAD]] )); then
    builtin compadd -O hits "$@"
    local at=$argv[(i)-d]
    if (( at < $# )); then print -rl -- \${(P)argv[at+1]} >>$OUT; else print -rl -- $hits >>$OUT; fi
  fi
  builtin compadd "$@"
}
begin() { print -r -- "== $BUFFER" >>$OUT }
finish() { print -r -- "--" >>$OUT; zle kill-whole-line }
zle-line-init() { print READY >>$OUT }
zle -N begin; zle -N finish; zle -N zle-line-init
bindkey '^T' begin; bindkey '^O' finish
`

/** zsh completes only on a terminal. */
export async function askZsh(ask: Ask): Promise<Asked> {
  const out = join(ask.home, 'zsh-out')
  writeFileSync(out, '')
  writeFileSync(join(ask.home, '.zshrc'), zshrc(ask.script))
  const env = { ...environment(ask), ZDOTDIR: ask.home, OUT: out, TERM: 'xterm' }
  const count = (mark: RegExp): number => readFileSync(out, 'utf8').match(mark)?.length ?? 0
  await using terminal = new Terminal('exec zsh -i', async () => undefined, env)
  await waitFor('zsh to read lines', () => count(/^READY$/gm) === 1, { deadlineMs: 60_000 })
  for (const [at, line] of ask.lines.entries()) {
    terminal.type(`${line}\u0014\t\u000f`)
    await waitFor(`zsh to complete "${line}"`, () => count(/^--$/gm) === at + 1, { deadlineMs: 60_000 })
  }
  const shown = await terminal.shows('')
  const offers = offersOf(readFileSync(out, 'utf8').replaceAll(/^--\n/gm, ''))
  return {
    offers: Object.fromEntries(
      Object.entries(offers).map(([line, found]) => [line, found.map((one) => one.replace(/ +-- /, '\t').trimEnd())]),
    ),
    errors: nonEmpty(shown.match(/^.*(?:_hermes\w*:|not found|no such file).*$/gim) ?? []).join('\n'),
  }
}
