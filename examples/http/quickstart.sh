#!/usr/bin/env bash
# Train over HTTP with curl: submit, follow the events, ask for the status, bring the adapter.
#
#   export GPU_CLUSTER_API_URL=http://127.0.0.1:8700 GPU_CLUSTER_API_KEY=ptk_...
#   DATASET_URL=https://... examples/http/quickstart.sh my-own-id
set -euo pipefail

job_id=${1:?give an id of your own; the same id with the same body is the same training}
base_model=${BASE_MODEL:-HuggingFaceTB/SmolLM2-135M-Instruct}
callback=${CALLBACK_URL:+, \"callback_url\": \"$CALLBACK_URL\"}

# The key goes by a file descriptor: a command line can be read by everybody on the machine.
ask() {
  local path=$1
  shift
  curl --fail-with-body --silent --show-error --max-time 60 "$@" "$GPU_CLUSTER_API_URL$path" \
    --header @<(printf 'Authorization: Bearer %s\n' "$GPU_CLUSTER_API_KEY")
}

# Text of a field of a flat JSON object.
field() { sed -E "s/.*\"$1\": ?\"?([^\",}]*)\"?.*/\1/"; }

job=$(ask /training/submit --header "Content-Type: application/json" --data @- <<BODY | field external_job_id
{"job_id": "$job_id", "dataset_url": "$DATASET_URL",
 "hyperparameters": {"base_model": "$base_model", "num_epochs": ${EPOCHS:-1}, "lora_rank": 8}$callback}
BODY
)
echo "submitted: $job"

# Events as they come, until the training has ended. --max-time 0: for as long as it takes.
ask "/training/events/$job" --no-buffer --max-time 0 --header "Accept: text/event-stream" |
  while IFS= read -r line; do
    case $line in
    "event: step") step=1 ;;
    "data: "*) [ "${step:-0}" = 1 ] && echo "step $(field step <<<"$line"), loss $(field training_loss <<<"$line")"; step=0 ;;
    esac
  done

status=$(ask "/training/status/$job")
echo "status: $(field status <<<"$status"), $(field progress <<<"$status") %"
[ "$(field status <<<"$status")" = completed ] || { echo "$status" >&2; exit 1; }

ask "/training/artifact/$job" --max-time 0 --output "adapter-$job.tar.gz"
echo "adapter: adapter-$job.tar.gz"
