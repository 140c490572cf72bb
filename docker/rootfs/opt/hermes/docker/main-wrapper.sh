#!/usr/bin/env -S -u OPTIND HERMES_SAVED_OPTIND=${OPTIND}${HERMES_SAVED_OPTIND} /bin/sh
# shellcheck shell=sh
# For templates that still name this file before the main program: everything it did is done by /init, which also takes the
# words after it where it is named after /init.
exec /init "$@"
