#!/usr/bin/env bash
# Makes the files that compose.yaml hands to its services, in docker/secrets. What is there stays.
#
#   RUNPOD_API_KEY=... docker/make-secrets.sh
set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/secrets
# Only you come into the folder. Its files can be read by the services' own users, who are others: Compose
# mounts them as they are.
mkdir -p "$folder"
chmod 700 "$folder"
printf '*\n' >"$folder/.gitignore"

# Writes standard input to a file that holds nothing yet.
make() {
  local content
  content=$(cat)
  [ -s "$folder/$1" ] && return
  printf '%s' "$content" >"$folder/$1"
  chmod 644 "$folder/$1"
  echo "made docker/secrets/$1"
}

head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' | make database_password
printf 'postgresql://podtune:%s@database:5432/podtune?sslmode=disable' "$(cat "$folder/database_password")" | make database_url
printf '%s' "${RUNPOD_API_KEY:-}" | make runpod_api_key
[ -s "$folder/runpod_api_key" ] || echo "put your RunPod key into docker/secrets/runpod_api_key"
