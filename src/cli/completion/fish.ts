import type { Options, Row, Table, Word } from './rows.ts'

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const described = (words: readonly Word[]): string =>
  words.map(({ word, help }) => `${quoted(word)}\\t${quoted(help)}`).join(' ')
const pairs = (values: Options['values']): string =>
  values.map(({ flag, source }) => quoted(`${flag}=${source}`)).join(' ')

const rowText = ({ path, commands, options, values, args }: Row): string =>
  `    case ${quoted(path)}\n${[
    ['commands', described(commands)],
    ['options', described(options)],
    ['values', pairs(values)],
    ['args', args.map(quoted).join(' ')],
  ]
    .flatMap(([name = '', text = '']) => (text === '' ? [] : [`      set ${name} ${text}\n`]))
    .join('')}`

export const fishScript = ({ rows, common, keys }: Table): string => `# hermes completion fish
function __hermes_row --no-scope-shadowing
  set commands
  set options
  set values
  set args
  switch "$at"
${rows.map(rowText).join('')}  end
  set -a options ${described(common.options)}
  set -a values ${pairs(common.values)}
end
function __hermes_from --no-scope-shadowing
  switch "$source"
    case '-' ''
    case files
      set found (__fish_complete_path "$current")
    case directories
      set found (__fish_complete_directories "$current" '')
    case config-keys
      set found ${described(keys)}
    case ':*'
      set found (string split , -- (string sub -s 2 -- $source))
    case '*'
      set found (hermes $profile completion values $source $board </dev/null 2>/dev/null)
  end
end
function __hermes_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l at ''
  set -l commands
  set -l options
  set -l values
  set -l args
  set -l want
  set -l flag
  set -l profile
  set -l board
  set -l literal
  set -l count 0
  set -l source
  set -l found
  set -l prefix ''
  __hermes_row
  for word in $words[2..]
    if test -n "$want"
      set want
      if not string match -qr -- '^-.' $word
        switch $flag
          case -p --profile
            set profile -p $word
          case --board
            set board --board $word
        end
        continue
      end
    end
    if test -z "$literal"; and test "$word" = --
      set literal 1
    else if test -z "$literal"; and string match -qr -- '^--.*=' $word
      string match -q -- '--profile=*' $word; and set profile $word
      string match -q -- '--board=*' $word; and set board $word
    else if test -z "$literal"; and string match -qr -- '^-.' $word
      set flag $word
      set want (string replace -- $flag= '' (string match -- "$flag=*" $values))
    else if test $count = 0; and string match -q -- $word\\t'*' $commands
      set at (string trim "$at $word")
      __hermes_row
    else
      set count (math $count + 1)
    end
  end
  if test -z "$want"; and test -z "$literal"; and string match -qr -- '^--.*=' $current
    set prefix (string replace -r '=.*' = -- $current)
    set source (string replace -- $prefix '' (string match -- "$prefix*" $values))
    set current (string replace -- $prefix '' $current)
    __hermes_from
  else if test -n "$want"
    set source $want
    __hermes_from
  else if test -z "$literal"; and string match -q -- '-*' $current
    set found $options
  else if test $count = 0; and set -q commands[1]
    set found $commands
  else
    set source $args[(math $count + 1)]
    if test -z "$source"; and set -q args[1]; and string match -q -- '*\\*' $args[-1]
      set source $args[-1]
    end
    set source (string replace -r '\\*$' '' -- $source)
    if test -n "$source"; and test "$source" != -
      __hermes_from
    else if test -z "$current"; and test -z "$literal"
      set found $options
    end
  end
  for line in $found
    printf '%s%s\\n' $prefix $line
  end
end
complete -c hermes -f -k -a '(__hermes_complete)'
`
