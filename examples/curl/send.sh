#!/bin/sh
# Sends a file of events, one JSON object a line, to a collector. VIGIE_TOKEN holds the token; CAFILE the authority, where it is not a public one.
#   send.sh https://vigie.example.org:8400 events.ndjson
set -eu
url=$1 file=$2
: "${VIGIE_TOKEN:?is not set: the token that \`vigie token new\` printed}"

# The token goes through a file descriptor: on the command line every user of this machine could read it. After 429 and 503 curl sends the same
# again, as late as Retry-After says. If this ends with an error, and it is not 4xx, run it again: what had arrived counts once.
gzip -c "$file" | curl --silent --show-error --fail-with-body ${CAFILE:+--cacert "$CAFILE"} \
    --retry 8 --retry-connrefused --retry-max-time 300 --max-time 60 \
    --config /dev/fd/3 --header 'Content-Type: application/x-ndjson' --header 'Content-Encoding: gzip' \
    --data-binary @- "$url/v1/events" 3<<END
header = "Authorization: Bearer $VIGIE_TOKEN"
END
echo
