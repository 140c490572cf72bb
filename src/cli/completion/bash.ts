import type { Options, Row, Table, Word } from './rows.ts'

/** In single quotes. Everything in it is made here, and stays one line. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const names = (words: readonly Word[]): string => words.map(({ word }) => word).join(' ')
const pairs = (values: Options['values']): string => values.map(({ flag, source }) => `${flag}=${source}`).join(' ')

const rowText = ({ path, commands, options, values, args }: Row): string =>
  `  ${quoted(path)})${[
    ['commands', names(commands)],
    ['options', names(options)],
    ['values', pairs(values)],
    ['args', args.join(' ')],
  ]
    .flatMap(([name = '', text = '']) => (text === '' ? [] : [` ${name}=${quoted(text)}`]))
    .join('')} ;;\n`

/** bash shows no descriptions. */
export const bashScript = ({ rows, common, keys }: Table): string => `# hermes completion bash
_hermes_row() {
  commands='' options='' values='' args=''
  case $1 in
${rows.map(rowText).join('')}  esac
  options+=' ${names(common.options)}' values+=' ${pairs(common.values)}'
}
_hermes_words() {
  local word
  for word; do [[ $word != "$cur"* ]] || COMPREPLY+=("$word"); done
}
_hermes_from() {
  local line
  case $1 in
  - | '') return ;;
  files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
  config-keys) _hermes_words ${names(keys)} ;;
  :*) IFS=, read -ra line <<<"\${1#:}"; _hermes_words "\${line[@]}" ;;
  *)
    while IFS= read -r line; do _hermes_words "\${line%%$'\\t'*}"; done < <(
      hermes \${profile:+-p "$profile"} completion values "$1" \${board:+--board "$board"} </dev/null 2>/dev/null
    )
    ;;
  esac
}
_hermes() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' commands options values args
  local want='' flag='' profile='' board='' literal='' count=0 word i sources source
  COMPREPLY=()
  _hermes_row ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $want ]]; then
      [[ $word != = ]] || continue
      if [[ $word != -?* ]]; then
        case $flag in -p | --profile) profile=$word ;; --board) board=$word ;; esac
        want=''
        continue
      fi
      want=''
    fi
    if [[ -z $literal && $word == -- ]]; then literal=1
    elif [[ -z $literal && $word == -?* ]]; then
      flag=$word
      if [[ " $values" == *" $flag="* ]]; then want=" $values" want=\${want#*" $flag="} want=\${want%% *}; fi
    elif [[ $count == 0 && " $commands " == *" $word "* ]]; then path="\${path:+$path }$word" && _hermes_row "$path"
    else count=$((count + 1)); fi
  done
  if [[ -n $want ]]; then
    [[ $cur != = ]] || cur=''
    _hermes_from "$want"
  elif [[ -z $literal && $cur == -* ]]; then _hermes_words $options
  elif [[ $count == 0 && -n $commands ]]; then _hermes_words $commands
  else
    read -ra sources <<<"$args"
    source=\${sources[count]-}
    if [[ -z $source && \${#sources[@]} -gt 0 && \${sources[\${#sources[@]} - 1]} == *'*' ]]; then
      source=\${sources[\${#sources[@]} - 1]}
    fi
    source=\${source%'*'}
    if [[ -n $source && $source != - ]]; then _hermes_from "$source"; elif [[ -z $cur && -z $literal ]]; then _hermes_words $options; fi
  fi
}
complete -F _hermes hermes
`
