#!/bin/sh
# Creates the namespace and its search attributes (domain/temporal-names.ts has the list). May run again.
set -eu

namespace=${TEMPORAL_NAMESPACE:-default}
attributes='RecipientId=Keyword DestinationId=Keyword ModelId=Keyword TransferId=Keyword
  TransferTrigger=Keyword TransferPhase=Keyword WindowEnd=Datetime RowsWritten=Int'

# $1: what is waited for; the rest: the command that shows it.
wait_for() {
  what=$1
  shift
  for _ in $(seq 1 60); do
    if "$@" > /dev/null 2>&1; then return 0; fi
    sleep 1
  done
  echo "Gave up waiting for $what:" >&2
  "$@"
}

wait_for 'the Temporal server' temporal operator cluster health

if ! temporal operator namespace describe --namespace "$namespace" > /dev/null 2>&1; then
  temporal operator namespace create --namespace "$namespace" --retention 720h
fi

# The server's cache learns of a new namespace within about 15 seconds.
wait_for "namespace $namespace" temporal operator search-attribute list --namespace "$namespace"

for attribute in $attributes; do
  name=${attribute%=*}
  if temporal operator search-attribute list --namespace "$namespace" | grep -qw "$name"; then continue; fi
  temporal operator search-attribute create --namespace "$namespace" \
    --name "$name" --type "${attribute#*=}"
done
echo "Namespace $namespace has its search attributes."
