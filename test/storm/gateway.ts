/**
 * A gateway of the storm, for bash: says each second that it lives, until it gets TERM. `gateway ACCOUNT PROFILE`. Its
 * pid tells two that live at the same time apart.
 */
export const GATEWAY = `#!/bin/bash
account=$1 profile=$2
say() { printf '%s %s pid=%s profile=%s\\n' "$1" "$EPOCHREALTIME" "$$" "$profile" >>"$account"; }
trap 'say stopped; exit 0' TERM
exec {never}<> <(:)
say began
while :; do
  read -r -t 1 -u "$never"
  say lives
done
`
