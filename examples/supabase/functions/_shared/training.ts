// The contract between application and GPU cluster: its request, its status object, and a client for
// `POST /training/submit` and `GET /training/status/{id}`.

import { address, type Answer, ask, asObject, HttpError, type JsonObject } from "./http.ts";
import { NoAnswerError, setting } from "./http.ts";

/** What is sent to `/training/submit`. */
export interface TrainingRequest {
  job_id: string;
  /** A signed address; its query is a secret. */
  dataset_url: string;
  hyperparameters: JsonObject;
  gpu_config?: JsonObject;
  callback_url?: string;
}

/** What `/training/status/{id}` answers. */
export interface TrainingStatus {
  status: "running" | "completed" | "failed";
  /** 0..100 */
  progress: number;
  current_epoch: number;
  current_step: number;
  stage: "training" | "saving" | "uploading";
  metrics: Metrics;
  error_message: string | null;
  error_code: string | null;
  advice: string | null;
  adapter_path: string | null;
  warnings: string[];
  cost_usd: number | null;
  eta_seconds: number | null;
}

export const METRICS = [
  "training_loss",
  "validation_loss",
  "learning_rate",
  "throughput",
  "gpu_utilization",
  "gradient_norm",
] as const;

export type Metrics = { [name in typeof METRICS[number]]: number | null };

const STATUSES = ["running", "completed", "failed"] as const;
const STAGES = ["training", "saving", "uploading"] as const;

/** Ids that go into an address: nothing that could lead elsewhere. */
export const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Longest text of an answer that is kept, in characters. */
const TEXT = 4000;

/** A status object, whatever came: what is missing or of another kind is filled in; null where it is none. */
export function readStatus(value: unknown): TrainingStatus | null {
  const told = asObject(value);
  const status = STATUSES.find((one) => one === told?.status);
  if (told === null || status === undefined) return null;
  const metrics = asObject(told.metrics) ?? {};
  const warnings = Array.isArray(told.warnings) ? told.warnings : [];
  return {
    status,
    progress: Math.min(100, Math.max(0, numberOf(told.progress) ?? 0)),
    current_epoch: Math.max(0, Math.trunc(numberOf(told.current_epoch) ?? 0)),
    current_step: Math.max(0, Math.trunc(numberOf(told.current_step) ?? 0)),
    stage: STAGES.find((one) => one === told.stage) ?? "training",
    metrics: Object.fromEntries(
      METRICS.map((name) => [name, numberOf(metrics[name])]),
    ) as Metrics,
    error_message: textOf(told.error_message),
    error_code: textOf(told.error_code),
    advice: textOf(told.advice),
    adapter_path: textOf(told.adapter_path),
    warnings: warnings.flatMap((one) => textOf(one) ?? []).slice(0, 20),
    cost_usd: numberOf(told.cost_usd),
    eta_seconds: numberOf(told.eta_seconds),
  };
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, TEXT) : null;
}

/** What a status means for the row of a table. */
export function columnsOf(status: TrainingStatus): JsonObject {
  const state = status.error_code === "cancelled" ? "cancelled" : status.status;
  const ended = status.status !== "running" ? { ended_at: new Date().toISOString() } : {};
  return { ...status, metrics: { ...status.metrics }, status: state, ...ended };
}

/** The cluster did not do as it was asked. */
export class ClusterError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }

  /** Whether the same request may be taken later. */
  get isPassing(): boolean {
    const passing = [0, 408, 425, 429, 500, 502, 503, 504].includes(this.status);
    return passing && this.code !== "order_unclear";
  }
}

/** Asks podtune's gateway, or the function `gpu-gateway`. */
export class Cluster {
  readonly #url: string;
  readonly #key: string;

  /** Take the address and the key of the settings. */
  constructor() {
    this.#url = address("GPU_CLUSTER_API_URL");
    this.#key = setting("GPU_CLUSTER_API_KEY");
    if (/^https:\/\/(api|rest)\.runpod\./.test(this.#url)) {
      throw new HttpError(
        503,
        "not_configured",
        "GPU_CLUSTER_API_URL is RunPod's own, which has no /training/submit",
        "set the address of podtune's gateway, or of the function gpu-gateway",
      );
    }
  }

  /** Submit; the same job_id with the same body is the same training. Gives its `external_job_id`. */
  async submit(request: TrainingRequest): Promise<string> {
    const answer = await this.#ask("/training/submit", "POST", { ...request });
    const id = asObject(answer.body)?.external_job_id;
    if (typeof id !== "string" || !JOB_ID.test(id)) {
      throw new ClusterError(502, "bad_answer", "the cluster's answer holds no external_job_id");
    }
    return id;
  }

  /** How a training stands. */
  async status(externalJobId: string): Promise<TrainingStatus> {
    if (!JOB_ID.test(externalJobId)) {
      throw new ClusterError(404, "job_not_found", "the row's external_job_id is no id");
    }
    const path = `/training/status/${encodeURIComponent(externalJobId)}`;
    const status = readStatus((await this.#ask(path, "GET")).body);
    if (status === null) {
      throw new ClusterError(502, "bad_answer", "the cluster's answer is no status object");
    }
    return status;
  }

  async #ask(path: string, method: string, body?: JsonObject): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await ask(this.#url + path, method, { authorization: `Bearer ${this.#key}` }, body);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      throw new ClusterError(0, "no_answer", `the cluster does not answer (${error.message})`);
    }
    if (answer.status === 200) return answer;
    const told = asObject(asObject(answer.body)?.error);
    const code = textOf(told?.code) ?? `http_${answer.status}`;
    const words = [textOf(told?.message), textOf(told?.hint)].filter((one) => one !== null);
    const message = words.join(". ") || `the cluster answers ${answer.status}`;
    throw new ClusterError(answer.status, code, message);
  }
}
