#!/bin/sh
# Debian's Chromium, which does not hear of the networks that other tests make; see deafToNetworks.ts.
exec "$LEBUREAU_TEST_BUN" "$(dirname "$0")/deafToNetworks.ts" /usr/bin/chromium "$@"
