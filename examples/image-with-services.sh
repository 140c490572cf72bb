#!/bin/sh
# From docs/services.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

mkdir with-cache && cd with-cache
cat > services.yaml <<'END'
services:
  cache:
    command: [/bin/sh, -c, "echo ready for work; exec sleep 100000"]
    user: hermes
    ready: {log: ready for work}
  warm-up:
    command: [/bin/sh, -c, "echo warming up"]
    user: hermes
    oneshot: true
    depends_on: [cache]
END
printf 'FROM hermes\nCOPY --chown=root:root services.yaml /etc/hermes/\nRUN chmod 644 /etc/hermes/services.yaml\n' > Dockerfile
docker build -t with-cache .
docker run -d --name hermes -e HERMES_UID="$(id -u)" -e HERMES_GID="$(id -g)" -v ~/.hermes:/opt/data with-cache gateway run
docker exec hermes hermes service start warm-up
docker exec hermes hermes service list
docker exec hermes hermes service status cache
docker exec hermes hermes service logs cache
docker exec hermes hermes service restart cache
docker exec hermes hermes service stop cache      # stops warm-up first, which depends on it
