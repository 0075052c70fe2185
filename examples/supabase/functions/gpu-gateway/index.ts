// The two routes of the contract in front of a RunPod serverless endpoint, for applications without a
// server of their own: `POST /training/submit` -> `/run`, `GET /training/status/{id}` -> `/status/{id}`.
//
// Stateless. Set GPU_CLUSTER_API_URL to https://<project>.supabase.co/functions/v1/gpu-gateway. What podtune's
// gateway does besides it does not: no repeated submit is recognised (the worker does, on a network volume), no
// ceiling in dollars (a time limit instead), no price, no log, no cancel.

import {
  address,
  ask,
  asObject,
  BODY_BYTES,
  HttpError,
  json,
  parseObject,
} from "../_shared/http.ts";
import { type Answer, type JsonObject, NoAnswerError, readBytes } from "../_shared/http.ts";
import { requireBearer, serve, setting } from "../_shared/http.ts";
import { Project } from "../_shared/project.ts";
import { JOB_ID, METRICS, readStatus } from "../_shared/training.ts";

/** RunPod's job API; RUNPOD_ENDPOINT_BASE_URL is the name its own SDK knows. */
const RUNPOD = "https://api.runpod.ai/v2";

/** A job may run so long unless it says less, in hours; what it costs at most follows from it. */
const HOURS = 12;

/** Limits of RunPod's policy, in milliseconds (docs.runpod.io, endpoint configurations, 2026-02). */
const SHORTEST_MS = 10_000;
const LONGEST_MS = 7 * 86_400_000;
const QUEUE_MS = 12 * 3_600_000;

/** A signed upload address of Supabase lives two hours; a minute is kept. */
const UPLOAD_MS = 2 * 3_600_000 - 60_000;

const ADAPTERS = "lora-models";
const ROUTE = /^(?:\/functions\/v1)?(?:\/gpu-gateway)?\/training\/(submit|status\/([^/]+))$/;

serve("gpu-gateway", async (request) => {
  await requireBearer(request, setting("GPU_CLUSTER_API_KEY", 24));
  const route = ROUTE.exec(new URL(request.url).pathname);
  if (route === null) throw new HttpError(404, "not_found", "there is nothing at this address");
  const [, what, id] = route;
  const method = what === "submit" ? "POST" : "GET";
  if (request.method !== method) {
    throw new HttpError(405, "method_not_allowed", `this address takes ${method}`);
  }
  if (id === undefined) return await submit(request);
  const found = decodedId(id);
  if (found === null) throw unknownJob();
  return await status(found);
});

async function submit(request: Request): Promise<Response> {
  const input = parseObject(await readBytes(request, BODY_BYTES));
  checkRequest(input);
  const policy = policyOf(input);
  const sent: JsonObject = { ...input };
  if (Deno.env.get("GPU_GATEWAY_UPLOAD") === "signed") {
    const path = `adapters/job-${input.job_id}.tar.gz`;
    sent.upload = {
      archive: {
        url: await new Project().signedUpload(ADAPTERS, path),
        headers: { "x-upsert": "true" },
      },
    };
    policy.ttl = Math.min(policy.ttl, UPLOAD_MS);
    policy.executionTimeout = Math.min(policy.executionTimeout, UPLOAD_MS);
    sent.deadline = Math.floor((Date.now() + policy.ttl) / 1000);
  }
  const answer = await runpod("run", "POST", { input: sent, policy });
  const job = asObject(answer.body)?.id;
  if (typeof job !== "string" || !JOB_ID.test(job)) throw unclear();
  return json({ external_job_id: job });
}

/** What the worker would refuse anyway is refused before a worker is started; it checks the rest. */
function checkRequest(input: JsonObject): void {
  const faults: string[] = [];
  const job = input.job_id;
  if (typeof job !== "string" || !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(job)) {
    faults.push("job_id: letters, digits, '.', '_' and '-', 128 at most");
  }
  const source = input.dataset_url;
  if (
    typeof source !== "string" || !URL.canParse(source) ||
    !/^https?:$/.test(new URL(source).protocol)
  ) {
    faults.push("dataset_url: an https address");
  }
  if (typeof asObject(input.hyperparameters)?.base_model !== "string") {
    faults.push("hyperparameters.base_model: a model's name on the Hub, org/name");
  }
  for (const ours of ["upload", "bundle", "attempt", "begin_by", "deadline"]) {
    if (input[ours] !== undefined) faults.push(`${ours}: not taken here`);
  }
  if (faults.length > 0) throw new HttpError(400, "bad_request_body", faults.join("; "));
}

/** How long a job may run and live: RunPod deletes it at its `ttl`, even while it runs. */
function policyOf(input: JsonObject): { executionTimeout: number; ttl: number } {
  const limit = Number(Deno.env.get("GPU_GATEWAY_MAX_HOURS") || HOURS);
  const asked = input.max_hours ?? limit;
  if (typeof asked !== "number" || !(asked > 0) || !(limit > 0)) {
    throw new HttpError(400, "bad_request_body", "max_hours: a number above 0");
  }
  const hours = Math.min(asked, limit);
  const run = Math.round(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, hours * 3_600_000)));
  return { executionTimeout: run, ttl: Math.min(LONGEST_MS, run + QUEUE_MS) };
}

async function status(id: string): Promise<Response> {
  const answer = await runpod(`status/${encodeURIComponent(id)}`, "GET");
  const told = asObject(answer.body);
  if (told === null || typeof told.status !== "string") {
    throw new HttpError(502, "bad_answer", "RunPod's answer is no job");
  }
  return json({ ...statusOf(told), external_job_id: id });
}

/** RunPod's job as the contract's status object. */
function statusOf(job: JsonObject): JsonObject {
  const output = readStatus(job.output);
  switch (job.status) {
    case "IN_QUEUE":
      return { ...blank("running"), phase: "queued" };
    case "IN_PROGRESS":
      if (output?.status !== "running") return { ...blank("running"), phase: "loading" };
      return { ...asObject(job.output), ...output };
    case "COMPLETED":
      if (output !== null && output.status !== "running") {
        return { ...asObject(job.output), ...output };
      }
      return failed("result_lost", "the worker ended without a result", "submit it again");
    case "CANCELLED":
      return failed("cancelled", "the training was cancelled at RunPod");
    case "TIMED_OUT":
      return failed("timed_out", "the training ran into its time limit", "raise max_hours");
    case "FAILED":
      if (output?.status === "failed") return { ...asObject(job.output), ...output };
      return failed("worker_failed", "the worker failed; its log at RunPod says why");
    default:
      return { ...blank("running"), phase: "queued" };
  }
}

function failed(code: string, message: string, advice: string | null = null): JsonObject {
  return { ...blank("failed"), error_code: code, error_message: message, advice };
}

function blank(status: "running" | "failed"): JsonObject {
  return {
    status,
    progress: 0,
    current_epoch: 0,
    current_step: 0,
    stage: "training",
    metrics: Object.fromEntries(METRICS.map((name) => [name, null])),
    error_message: null,
    error_code: null,
    advice: null,
    warnings: [],
  };
}

/** Ask RunPod. A submit that got no answer may have been taken, and is not sent again by anybody. */
async function runpod(path: string, method: string, body?: JsonObject): Promise<Answer> {
  const base = address("RUNPOD_ENDPOINT_BASE_URL", RUNPOD);
  const endpoint = setting("RUNPOD_ENDPOINT_ID");
  const key = setting("RUNPOD_API_KEY");
  if (!/^[A-Za-z0-9-]{1,64}$/.test(endpoint)) {
    throw new HttpError(503, "not_configured", "RUNPOD_ENDPOINT_ID is no endpoint's id");
  }
  let answer: Answer;
  try {
    const headers = { authorization: `Bearer ${key}` };
    answer = await ask(`${base}/${endpoint}/${path}`, method, headers, body);
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    if (method === "POST") throw unclear();
    throw new HttpError(503, "provider_unavailable", "RunPod does not answer", "ask again");
  }
  if (answer.status === 200) return answer;
  throw refused(answer.status, method, path.startsWith("status/"));
}

function refused(status: number, method: string, isStatus: boolean): HttpError {
  if (status === 429) {
    return new HttpError(429, "too_many_requests", "RunPod's queue is full, or asked too often");
  }
  if (status === 401 || status === 403) {
    return new HttpError(
      503,
      "provider_key_rejected",
      "RunPod rejects RUNPOD_API_KEY",
      "give it read and write access to this endpoint",
    );
  }
  if (status === 404) {
    return isStatus
      ? unknownJob()
      : new HttpError(503, "endpoint_not_found", "RunPod has no endpoint RUNPOD_ENDPOINT_ID");
  }
  if (status === 400) {
    return new HttpError(400, "provider_refused", "RunPod does not take this request");
  }
  if (method === "POST") return unclear();
  return new HttpError(503, "provider_unavailable", `RunPod answers ${status}`, "ask again");
}

function unclear(): HttpError {
  return new HttpError(
    502,
    "order_unclear",
    "RunPod may or may not have taken the job",
    "look at the endpoint's requests before you submit it again",
  );
}

function unknownJob(): HttpError {
  return new HttpError(
    404,
    "job_not_found",
    "no job of that id",
    "RunPod keeps a result for 30 minutes",
  );
}

/** An id of the path; null where it holds anything that could lead elsewhere. */
function decodedId(text: string): string | null {
  try {
    const id = decodeURIComponent(text);
    return JOB_ID.test(id) ? id : null;
  } catch {
    return null;
  }
}
