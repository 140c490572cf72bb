import type { Command, Group } from '../context/command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Completions that may follow the words typed so far. */
interface Row {
  /** Path of the command, such as `profile delete`; empty for the first word. */
  readonly path: string
  readonly words: readonly string[]
  /** True if profile names may follow. */
  readonly profiles: boolean
}

const GLOBAL = ['-p', '--profile', '--json', '--help']
/** Arguments with these names are profiles. */
const PROFILE_ARGUMENTS = [
  'profile delete',
  'profile show',
  'profile rename',
  'profile use',
  'profile export',
  'logs',
  'healthcheck',
]

function rowsOf(commands: readonly Command[], groups: readonly Group[]): readonly Row[] {
  const firsts = [...new Set(commands.map(({ path }) => path.split(' ')[0] ?? ''))]
  const top: Row = { path: '', words: [...firsts, ...GLOBAL, '--version'], profiles: false }
  const inGroups = groups.map(({ name }) => ({
    path: name,
    words: commands.flatMap(({ path }) => (path.startsWith(`${name} `) ? [path.slice(name.length + 1)] : [])),
    profiles: false,
  }))
  const leaves = commands.map((command) => ({
    path: command.path,
    words: [
      ...(command.arguments ?? []).flatMap((argument) => argument.choices ?? []),
      ...(command.options ?? []).map(({ long }) => long),
      ...GLOBAL,
    ],
    profiles: PROFILE_ARGUMENTS.includes(command.path),
  }))
  return [top, ...inGroups, ...leaves]
}

/** Returns a completion script for `shell` that completes commands, options and profile names. */
export function completionScript(shell: Shell, commands: readonly Command[], groups: readonly Group[]): string {
  return writers[shell](rowsOf(commands, groups))
}

const NAMES = 'hermes profile list --quiet 2>/dev/null'

/** The words before the cursor, without options, form a path; words after a complete command count as that command. */
const cases = (rows: readonly Row[], line: (row: Row) => string): string =>
  [...rows]
    .sort((a, b) => b.path.length - a.path.length)
    .map((row) => `    ${row.path === '' ? '""' : `"${row.path}"|"${row.path} "*`}) ${line(row)} ;;\n`)
    .join('')

const writers: Readonly<Record<Shell, (rows: readonly Row[]) => string>> = {
  bash: (rows) => `# hermes completion bash > /etc/bash_completion.d/hermes
_hermes() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= words= names= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    -p|--profile) ((i++)) ;;
    -*) ;;
    *) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  if [[ $prev == -p || $prev == --profile || $prev == --clone || $prev == --ready ]]; then names=1; else
    case "$path" in
${cases(rows, (row) => `words="${row.words.join(' ')}"${row.profiles ? ' names=1' : ''}`)}    esac
  fi
  [[ -z $names ]] || words="$words $(${NAMES})"
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _hermes hermes
`,
  zsh: (rows) => `#compdef hermes
# hermes completion zsh > "\${fpath[1]}/_hermes"
_hermes() {
  local prev=$words[CURRENT-1] typed= list= names= i
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
    -p|--profile) ((i++)) ;;
    -*) ;;
    *) typed="\${typed:+$typed }$words[i]" ;;
    esac
  done
  if [[ $prev == (-p|--profile|--clone|--ready) ]]; then names=1; else
    case "$typed" in
${cases(rows, (row) => `list="${row.words.join(' ')}"${row.profiles ? ' names=1' : ''}`)}    esac
  fi
  [[ -z $names ]] || list="$list $(${NAMES})"
  compadd -- \${=list}
}
compdef _hermes hermes
`,
  fish: (rows) => `# hermes completion fish > ~/.config/fish/completions/hermes.fish
function __hermes_words
  set -l typed
  set -l skip 0
  set -l tokens (commandline -opc)
  set -l prev $tokens[-1]
  for token in $tokens[2..]
    if test $skip = 1
      set skip 0
    else if contains -- $token -p --profile
      set skip 1
    else if not string match -q -- '-*' $token
      set -a typed $token
    end
  end
  if contains -- $prev -p --profile --clone --ready
    ${NAMES}
    return
  end
  switch "$typed"
${[...rows]
  .sort((a, b) => b.path.length - a.path.length)
  .map(
    (row) =>
      `    case ${row.path === '' ? "''" : `'${row.path}' '${row.path} *'`}\n      printf '%s\\n' ${row.words.join(' ')}\n${row.profiles ? `      ${NAMES}\n` : ''}`,
  )
  .join('')}  end
end
complete -c hermes -f -a '(__hermes_words)'
`,
}
