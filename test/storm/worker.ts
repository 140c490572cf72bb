/**
 * A worker of the storm, for bash: writes its own account, works for 0.1 to 2 s, and ends. `worker ACCOUNT`. One of 25
 * works for 8 to 20 s, longer than a lease: its node has to end it before the lease does. Only the first and the last
 * word wait for the disk. The words between them say that it lives.
 */
export const WORKER = `#!/bin/bash
account=$1
say() { printf '%s %s run=%s task=%s\\n' "$1" "$EPOCHREALTIME" "$HERMES_KANBAN_RUN_ID" "$HERMES_KANBAN_TASK" >>"$account"; }
trap 'say stopped; exit 143' TERM
exec {never}<> <(:)
say began
sync "$account"
tenths=$((RANDOM % 25 == 0 ? 80 + RANDOM % 120 : RANDOM % 20))
for ((i = tenths; i >= 0; i--)); do
  read -r -t 0.1 -u "$never"
  say lives
done
trap '' TERM # what is done is done
say finished
sync "$account"
`
