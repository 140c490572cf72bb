#!/bin/sh
# From docs/kanban-first-board.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

hermes profile create coder
hermes -p coder config set agent.command '[sh, -c, "echo \"I did: $(cat)\""]'
hermes kanban create "Say hello" --body "in three languages" --assignee coder
hermes kanban list
