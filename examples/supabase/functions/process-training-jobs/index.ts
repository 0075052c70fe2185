// Queued rows of `training_jobs` -> the GPU cluster; how trainings stand -> their rows.
//
// Called by the database: at once when a row is inserted, and every half minute (migrations/). It keeps
// nothing between two calls, and two at the same time do no harm: a row is taken by one conditional
// update, and `job_id` (the row's id) makes a repeated submit the same training.

import { HttpError, json, type JsonObject, note, requireBearer, serve } from "../_shared/http.ts";
import { address, setting } from "../_shared/http.ts";
import { type Filter, Project } from "../_shared/project.ts";
import { Cluster, ClusterError, columnsOf, JOB_ID } from "../_shared/training.ts";
import type { TrainingRequest } from "../_shared/training.ts";

const NAME = "process-training-jobs";
const TABLE = "training_jobs";

/** Where data sets lie: `<user's id>/<file>`. */
const DATASETS = "training-datasets";

/** Rows submitted by one call; each may take 20 seconds, and they go at the same time. */
const SUBMITS = 10;

/** Rows asked for by one call, so many at the same time. */
const POLLS = 60;
const AT_ONCE = 10;

/** A call that took a row and never came back is taken to be dead after so long, in milliseconds. */
const CLAIM_MS = 10 * 60_000;

/** Tries to submit before a row is given up, and the pause before the next one. */
const TRIES = 8;
const pauseMs = (tries: number): number => Math.min(15 * 60_000, 15_000 * 2 ** tries);

/** How long a training may be unknown to the cluster before it counts as lost, in milliseconds. */
const UNKNOWN_MS = 60 * 60_000;

/** How long a data set's address lives, in seconds. podtune's gateway fetches at once; a job in RunPod's own
 * queue fetches when its turn comes. */
const ADDRESS_S = 24 * 3600;

interface Outcome {
  submitted: number;
  polled: number;
  troubles: string[];
}

serve(NAME, async (request) => {
  if (request.method !== "POST") throw new HttpError(405, "method_not_allowed", "send POST");
  await requireBearer(request, setting("TRAINING_CRON_KEY", 24));
  const project = new Project();
  const cluster = new Cluster();
  const outcome: Outcome = { submitted: 0, polled: 0, troubles: [] };
  await submitQueued(project, cluster, outcome);
  await pollRunning(project, cluster, outcome);
  return json({ ...outcome });
});

async function submitQueued(project: Project, cluster: Cluster, outcome: Outcome): Promise<void> {
  const now = new Date().toISOString();
  const dead = new Date(Date.now() - CLAIM_MS).toISOString();
  const queued = await project.select(TABLE, {
    status: "eq.queued",
    next_try_at: `lte.${now}`,
    order: "next_try_at.asc",
    limit: String(SUBMITS),
  });
  const left = await project.select(TABLE, {
    status: "eq.submitting",
    claimed_at: `lt.${dead}`,
    limit: String(SUBMITS),
  });
  const rows = [...queued, ...left].slice(0, SUBMITS);
  await eachOf(rows, AT_ONCE, outcome, async (row) => {
    if (await submit(project, cluster, row)) outcome.submitted += 1;
  });
}

/** Take a row and submit it; false where another call was first, or it was refused. */
async function submit(project: Project, cluster: Cluster, row: JsonObject): Promise<boolean> {
  const id = String(row.id);
  const as: Filter = row.status === "submitting"
    ? { status: "eq.submitting", claimed_at: `eq.${row.claimed_at}` }
    : { status: "eq.queued" };
  const tries = Number(row.tries ?? 0) + 1;
  const claim = { status: "submitting", claimed_at: new Date().toISOString(), tries };
  const taken = await project.update(TABLE, { id: `eq.${id}`, ...as }, claim);
  if (taken.length === 0) return false;
  const mine = { id: `eq.${id}`, status: "eq.submitting" };
  try {
    const externalJobId = await cluster.submit(await requestOf(project, row));
    await project.update(TABLE, mine, {
      status: "running",
      external_job_id: externalJobId,
      submitted_at: new Date().toISOString(),
      polled_at: new Date().toISOString(),
      error_code: null,
      error_message: null,
    });
    return true;
  } catch (error) {
    await project.update(TABLE, mine, afterRefusal(error, tries));
    throw error;
  }
}

/** What a row becomes when its submit did not succeed. */
function afterRefusal(error: unknown, tries: number): JsonObject {
  const told = toldOf(error);
  const isPassing = error instanceof ClusterError
    ? error.isPassing
    : error instanceof HttpError && error.status >= 500;
  if (isPassing && tries < TRIES) {
    const next = new Date(Date.now() + pauseMs(tries)).toISOString();
    return { status: "queued", next_try_at: next, ...told };
  }
  return { status: "failed", ended_at: new Date().toISOString(), ...told };
}

async function requestOf(project: Project, row: JsonObject): Promise<TrainingRequest> {
  const path = String(row.dataset_path ?? "");
  // The database's own rule, once more: whoever owns the row owns the file.
  if (!path.startsWith(`${row.user_id}/`) || path.split("/").some((one) => /^\.{0,2}$/.test(one))) {
    throw new HttpError(403, "foreign_dataset", "dataset_path is not below the row's user_id");
  }
  return {
    job_id: String(row.id),
    dataset_url: await project.signedRead(DATASETS, path, ADDRESS_S),
    hyperparameters: row.hyperparameters as JsonObject,
    ...(row.gpu_config ? { gpu_config: row.gpu_config as JsonObject } : {}),
    callback_url: address("TRAINING_CALLBACK_URL", `${project.url}/functions/v1/training-callback`),
  };
}

async function pollRunning(project: Project, cluster: Cluster, outcome: Outcome): Promise<void> {
  const running = await project.select(TABLE, {
    status: "eq.running",
    order: "polled_at.asc",
    limit: String(POLLS),
  });
  await eachOf(running, AT_ONCE, outcome, async (row) => {
    await poll(project, cluster, row);
    outcome.polled += 1;
  });
}

async function poll(project: Project, cluster: Cluster, row: JsonObject): Promise<void> {
  // What a callback has settled meanwhile stays.
  const still = { id: `eq.${row.id}`, status: "eq.running" };
  try {
    const status = await cluster.status(String(row.external_job_id));
    await project.update(TABLE, still, {
      ...columnsOf(status),
      polled_at: new Date().toISOString(),
    });
  } catch (error) {
    const isUnknown = error instanceof ClusterError && error.status === 404;
    const isLost = isUnknown && Date.now() - Date.parse(String(row.polled_at)) > UNKNOWN_MS;
    if (isLost) {
      const lost = { status: "failed", ended_at: new Date().toISOString(), ...toldOf(error) };
      await project.update(TABLE, still, lost);
    }
    throw error;
  }
}

function toldOf(error: unknown): JsonObject {
  const known = error instanceof ClusterError || error instanceof HttpError;
  return {
    error_code: known ? error.code : "internal_error",
    error_message: known ? error.message.slice(0, 2000) : "the function met an unknown error",
  };
}

/** Do something for every row, some at the same time; one row's trouble stops no other. */
async function eachOf(
  rows: JsonObject[],
  atOnce: number,
  outcome: Outcome,
  work: (row: JsonObject) => Promise<void>,
): Promise<void> {
  const left = [...rows];
  const one = async (): Promise<void> => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      try {
        await work(row);
      } catch (error) {
        const id = JOB_ID.test(String(row.id)) ? String(row.id) : "?";
        const trouble = `${id}: ${toldOf(error).error_code}`;
        outcome.troubles.push(trouble);
        note(NAME, "trouble", trouble);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}
