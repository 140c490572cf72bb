#!/bin/sh
# From docs/run-it.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

docker build -t hermes .
docker run -d --name hermes --restart unless-stopped -e HERMES_UID="$(id -u)" -e HERMES_GID="$(id -g)" -v ~/.hermes:/opt/data hermes gateway run
docker exec hermes hermes status
docker logs hermes
