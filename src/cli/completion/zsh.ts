import type { Options, Row, Table, Word } from './rows.ts'

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
/**
 * As _describe has it: a colon ends the word, and a backslash is doubled. `commands`, `options`, `path` and `words` are
 * parameters of zsh itself.
 */
const described = (words: readonly Word[]): string =>
  words.map(({ word, help }) => quoted(`${word.replaceAll(':', '\\:')}:${help.replaceAll('\\', '\\\\')}`)).join(' ')
const pairs = (values: Options['values']): string => values.map(({ flag, source }) => `${flag}=${source}`).join(' ')

const rowText = ({ path, commands, options, values, args }: Row): string =>
  `  ${quoted(path)})\n${[
    ...(commands.length === 0 ? [] : [`heads=(${described(commands)})`]),
    ...(options.length === 0 ? [] : [`flags=(${described(options)})`]),
    ...(values.length === 0 ? [] : [`values=${quoted(pairs(values))}`]),
    ...(args.length === 0 ? [] : [`args=(${args.map(quoted).join(' ')})`]),
  ]
    .map((line) => `    ${line}\n`)
    .join('')}    ;;\n`

export const zshScript = ({ rows, common, keys }: Table): string => `#compdef hermes
# hermes completion zsh
_hermes_row() {
  heads=() flags=() values='' args=()
  case $1 in
${rows.map(rowText).join('')}  esac
  flags+=(${described(common.options)})
  values+=' ${pairs(common.values)}'
}
_hermes_source() {
  reply=''
  [[ " $values" != *" $1="* ]] || { reply=" $values" reply=\${reply#*" $1="} reply=\${reply%% *}; }
}
_hermes_from() {
  local -a lines
  case $1 in
  -|'') return 1 ;;
  files) _files; return ;;
  directories) _files -/; return ;;
  config-keys) lines=(${described(keys)}) ;;
  :*) lines=(\${(s:,:)1#:}) ;;
  *)
    lines=("\${(@f)$(hermes \${profile:+-p} $profile completion values $1 \${board:+--board} $board </dev/null 2>/dev/null)}")
    lines=("\${(@)lines//\\\\/\\\\\\\\}")
    lines=("\${(@)lines/$'\\t'/:}")
    lines=(\${lines:#})
    ;;
  esac
  (( $#lines )) || return 1
  _describe -V -t values value lines
}
_hermes() {
  local at='' values want='' flag='' profile='' board='' literal='' reply word
  local -a heads flags args
  local -i i count=0
  _hermes_row ''
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $want ]]; then
      want=''
      if [[ $word != -?* ]]; then
        case $flag in -p|--profile) profile=$word ;; --board) board=$word ;; esac
        continue
      fi
    fi
    if [[ -z $literal && $word == -- ]]; then literal=1
    elif [[ -z $literal && $word == --*=* ]]; then
      case $word in --profile=*) profile=\${word#*=} ;; --board=*) board=\${word#*=} ;; esac
    elif [[ -z $literal && $word == -?* ]]; then flag=$word; _hermes_source $flag; want=$reply
    elif (( count == 0 && $heads[(I)\${(b)word}:*] )); then at="\${at:+$at }$word"; _hermes_row "$at"
    else count+=1; fi
  done
  word=$words[CURRENT]
  if [[ -z $want && -z $literal && $word == --*=* ]]; then
    _hermes_source \${word%%=*}
    compset -P '*='
    _hermes_from $reply
  elif [[ -n $want ]]; then _hermes_from $want
  elif [[ -z $literal && $word == -* ]]; then _describe -o -t options option flags
  elif (( count == 0 && $#heads )); then _describe -t commands command heads
  else
    local from=\${args[count+1]-}
    [[ -n $from || $args[-1] != *\\* ]] || from=$args[-1]
    from=\${from%\\*}
    if [[ -n $from && $from != - ]]; then _hermes_from $from
    elif [[ -z $word && -z $literal ]]; then _describe -o -t options option flags; fi
  fi
}
if [[ $funcstack[1] == _hermes ]]; then _hermes "$@"; elif (( $+functions[compdef] )); then compdef _hermes hermes; fi
`
