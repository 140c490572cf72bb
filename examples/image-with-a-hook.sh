#!/bin/sh
# From docs/build-on-top.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

mkdir mine && cd mine
mkdir hooks
printf '#!/bin/sh\necho "index of $HERMES_HOME"\nprintf blue > /run/s6/container_environment/COLOUR\n' > hooks/10-index.sh
chmod +x hooks/10-index.sh
printf 'FROM hermes\nCOPY hooks/ /etc/cont-init.d/\n' > Dockerfile
docker build -t mine .
docker run --rm mine sh -c 'echo "colour: $COLOUR"'
