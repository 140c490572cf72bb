# shellcheck shell=sh
# A login shell (`bash -lc hermes`) begins with a PATH of its own, which /etc/profile sets.
PATH=/opt/hermes/bin:/command:$PATH
