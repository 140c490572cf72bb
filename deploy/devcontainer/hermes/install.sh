#!/bin/sh
# Puts Hermes into a development container (https://containers.dev/implementors/features/). Runs as root while the container's
# image is built. ARCHIVE is the option of devcontainer-feature.json.
set -eu
here=$(cd "$(dirname -- "$0")" && pwd)
# Not /opt/hermes: there Hermes would take the container for its own image.
target=/usr/local/lib/hermes

fail() {
  echo "hermes: $1" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail 'install.sh writes below /usr/local, so it has to run as root'
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) ||
  fail 'there is no Node; add the feature ghcr.io/devcontainers/features/node with a version of 24 or newer'
[ "$major" -ge 24 ] || fail "Node $major is too old; Hermes needs 24 or newer"
for program in setpriv setsid tar; do
  command -v "$program" >/dev/null || fail "there is no $program; on Debian: apt-get install util-linux tar"
done

archive=$here/hermes.tar.gz
case ${ARCHIVE-} in
'') [ -r "$archive" ] || fail "$archive is missing; make it (docs/devcontainer.md), or set the option archive" ;;
https://*)
  archive=$(mktemp)
  trap 'rm -f "$archive"' EXIT
  curl --fail --silent --show-error --location --output "$archive" "$ARCHIVE" || fail "$ARCHIVE cannot be downloaded"
  ;;
*) fail "the option archive is no https address: $ARCHIVE" ;;
esac

rm -rf "$target"
mkdir -p "$target"
tar -xzf "$archive" -C "$target" --no-same-owner
ln -sf "$target/bin/hermes" /usr/local/bin/hermes
echo "$(hermes --version), in $target"
