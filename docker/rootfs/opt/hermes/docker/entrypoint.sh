#!/usr/bin/env -S -u OPTIND HERMES_SAVED_OPTIND=${OPTIND}${HERMES_SAVED_OPTIND} /bin/sh
# shellcheck shell=sh
# For templates that still name this file as their entrypoint: everything it did is done by /init.
exec /init "$@"
