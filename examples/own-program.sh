#!/bin/sh
# From docs/run-my-own-program.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

hermes profile create web
hermes -p web config set gateway.command '[python3, -m, http.server, "8000"]'
hermes -p web gateway start
