#!/bin/sh
# For templates that still name this file before the main program: everything it did is done by /init, which also takes the
# words after it where it is named after /init.
exec /init "$@"
