#!/bin/sh
# For templates that still name this file as their entrypoint: everything it did is done by /init.
exec /init "$@"
