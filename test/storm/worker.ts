/**
 * A worker of the storm, for bash: writes its own account, works for 0.1 to 2 s, and ends. `worker ACCOUNT`. Only its
 * first and its last word wait for the disk. The words between them say that it lives.
 */
export const WORKER = `#!/bin/bash
account=$1
say() { printf '%s %s run=%s task=%s\\n' "$1" "$EPOCHREALTIME" "$HERMES_KANBAN_RUN_ID" "$HERMES_KANBAN_TASK" >>"$account"; }
trap 'say stopped; exit 143' TERM
exec {never}<> <(:)
say began
sync "$account"
for ((i = RANDOM % 20; i >= 0; i--)); do
  read -r -t 0.1 -u "$never"
  say lives
done
trap '' TERM # what is done is done
say finished
sync "$account"
`
