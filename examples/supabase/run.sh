#!/usr/bin/env bash
# The whole way on this machine, free of charge: an application's row -> edge function -> podtune's gateway ->
# a real training -> status and signed callback -> the row. Supabase is played by local/supabase.ts.
#
#   examples/supabase/run.sh                  a small model on examples/support.jsonl, some minutes
#   BASE_MODEL=org/name DATASET=rows.jsonl EPOCHS=2 examples/supabase/run.sh
#
# Needs podtune[train,serve] and Deno (`pip install deno`). Everything is started on loopback, lives in a
# folder of its own and is ended and removed at the end.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
[ -d "$root/.venv/bin" ] && PATH="$root/.venv/bin:$PATH"
for program in podtune deno; do
  command -v "$program" >/dev/null || { echo "$program is not installed; \`make setup\` brings it" >&2; exit 1; }
done

work=$(mktemp -d)
pids=()

end() {
  trap - EXIT INT TERM
  for job in $(podtune jobs --output json 2>>"$work/end.log" | running || true); do
    podtune cancel "$job" >>"$work/end.log" 2>&1 || true
    timeout 60 podtune watch "$job" >>"$work/end.log" 2>&1 || true
  done
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>>"$work/end.log" || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>>"$work/end.log" || true; done
  rm -rf "$work"
}

# Ids of jobs without an outcome, out of `podtune jobs --output json`.
running() {
  deno eval --no-lock 'for (const job of await new Response(Deno.stdin.readable).json()) if (!job.outcome) console.log(job.id)'
}

# The first line of a file, once a program has written it.
first_line() {
  for _ in $(seq 600); do
    if [ -s "$1" ]; then head -n 1 "$1"; return; fi
    kill -0 "$2" || { cat "$3" >&2; return 1; }
    sleep 0.1
  done
  echo "$1 stayed empty" >&2
  return 1
}

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

field() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }

trap end EXIT
trap 'exit 130' INT TERM

export PODTUNE_HOME="$work/home" TMPDIR="$work" DENO_NO_UPDATE_CHECK=1
touch "$work/functions.env"

echo "1. Supabase, played on loopback"
deno run --no-remote --allow-all "$here/local/supabase.ts" "$here/functions" "$work/functions.env" \
  >"$work/supabase.out" 2>"$work/supabase.log" &
pids+=("$!")
started=$(first_line "$work/supabase.out" "$!" "$work/supabase.log")
SUPABASE_URL=$(field url <<<"$started")
SUPABASE_KEY=$(field key <<<"$started")
export SUPABASE_URL SUPABASE_KEY
echo "   $SUPABASE_URL"

echo "2. podtune's gateway, and what drives its jobs"
# Addresses of this machine are refused unless they are named here.
export PODTUNE_EGRESS_HTTP=true PODTUNE_EGRESS_PRIVATE_HOSTS="${SUPABASE_URL#http://}"
GPU_CLUSTER_API_KEY=$(podtune keys create application --tenant application --scope submit --scope read --scope cancel 2>"$work/keys.log")
PODTUNE_WEBHOOK_SECRET=$(podtune callbacks secret --tenant application)
podtune drive >"$work/drive.log" 2>&1 &
pids+=("$!")
podtune serve --port 0 >"$work/gateway.out" 2>"$work/gateway.log" &
pids+=("$!")
GPU_CLUSTER_API_URL=$(first_line "$work/gateway.out" "$!" "$work/gateway.log")
echo "   $GPU_CLUSTER_API_URL"

echo "3. the functions' secrets, as \`supabase secrets set\` sets them"
TRAINING_CRON_KEY=$(random)
export TRAINING_CRON_KEY
cat >"$work/functions.env" <<SECRETS
GPU_CLUSTER_API_URL=$GPU_CLUSTER_API_URL
GPU_CLUSTER_API_KEY=$GPU_CLUSTER_API_KEY
PODTUNE_WEBHOOK_SECRET=$PODTUNE_WEBHOOK_SECRET
TRAINING_CRON_KEY=$TRAINING_CRON_KEY
SECRETS

echo "4. a user inserts a row; the function is called as the database would call it"
deno run --no-remote --allow-net=127.0.0.1 --allow-env --allow-read "$here/local/application.ts" \
  "${DATASET:-$root/examples/support.jsonl}" "${BASE_MODEL:-HuggingFaceTB/SmolLM2-135M-Instruct}" "${EPOCHS:-1}" &
pids+=("$!")
wait "$!" # in the background, so that a signal is heard at once
